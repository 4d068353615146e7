#pragma once

#include <cstdint>

#include "core/spool/spool_file.h"

namespace gp::spool {

/// Brings a spool file down to SPOOL_MAX_BYTES after that was lowered: SQLite alone holds a file to the size
/// that it has. The oldest confirmed events go, unconfirmed steps never; then the file gives its free pages
/// back to the disk. One that was made before files could do that keeps its size, which is reported, and what
/// it holds is kept within the quota all the same.
///
/// Not thread-safe. Best effort: where writing fails, a later call goes on.
class Shrinker {
 public:
  /// The file outlives it. `max_bytes`: SPOOL_MAX_BYTES.
  Shrinker(SpoolFile& file, std::int64_t max_bytes) : file_(file), max_bytes_(max_bytes) {}

  /// Goes `parts` transactions of 4 MiB further at most; where the file is small enough that is a short read.
  void shrink(int parts);

 private:
  struct Extent;

  Extent measure();
  bool shrink_some();
  void report_once(const Extent& extent);

  SpoolFile& file_;
  std::int64_t max_bytes_;
  bool is_reported_ = false;
};

}  // namespace gp::spool
