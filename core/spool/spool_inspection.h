#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/ids.h"

namespace gp::spool {

/// The host's spool as one look finds it.
struct SpoolFacts {
  bool exists = false;
  std::int64_t bytes = 0;              ///< of the file and its log
  std::int64_t log_bytes = 0;          ///< of the write-ahead log, which a reader that does not end lets grow
  std::int64_t unconfirmed = 0;        ///< steps that PostgreSQL does not have yet
  std::vector<std::string> set_aside;  ///< damaged files, oldest first: "<path>.corrupt-<time>"
};

/// Opens the spool at `path` where there is one, as any process of the service would, and checks its
/// structure (about 1 s per GiB). Makes, repairs and sets aside nothing. Throws Error(kConflict) where it is
/// corrupt or not ours, Error(kUnavailable) where it cannot be opened.
SpoolFacts inspect_spool(const std::string& path);

/// The runs that the spool at `path` has events of, none where there is no spool. Changes and makes nothing,
/// not even a damaged or an old file. Throws as inspect_spool.
std::vector<RunId> find_cached_runs(const std::string& path);

/// The damaged files that were set aside, oldest first, without those that belong to them.
std::vector<std::string> find_set_aside(const std::string& path);

/// The files that belong to a damaged one, itself the first of them.
std::vector<std::string> files_of(const std::string& set_aside);

}  // namespace gp::spool
