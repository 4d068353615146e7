#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace gp::spool {

/// The host's spool as one look finds it.
struct SpoolFacts {
  bool exists = false;
  std::int64_t bytes = 0;              ///< of the file and its log
  std::int64_t unconfirmed = 0;        ///< steps that PostgreSQL does not have yet
  std::vector<std::string> set_aside;  ///< damaged files, oldest first: "<path>.corrupt-<time>"
};

/// Opens the spool at `path` where there is one, as any process of the service would, and checks its
/// structure (about 1 s per GiB). Makes, repairs and sets aside nothing. Throws Error(kConflict) where it is
/// corrupt or not ours, Error(kUnavailable) where it cannot be opened.
SpoolFacts inspect_spool(const std::string& path);

/// The damaged files that were set aside, oldest first, without those that belong to them.
std::vector<std::string> find_set_aside(const std::string& path);

/// Removes them, with what belongs to them, but for the `keep` newest. Returns those removed.
std::vector<std::string> remove_set_aside(const std::string& path, std::size_t keep, bool is_dry_run);

}  // namespace gp::spool
