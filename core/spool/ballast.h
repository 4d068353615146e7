#pragma once

#include <string>

namespace gp::spool {

/// A file beside the spool that does nothing but take up room, to be given back when the disk is full: SQLite
/// needs room in its write-ahead log even to delete, so a spool on a full disk could not drain itself.
///
/// 8 MiB: what a removal writes, and what the checkpoint after it may have to add to the database before the
/// log can be reused: SQLite checkpoints from 1,000 pages (4 MiB) up. Any process may call; the file's
/// size is the only state: one that is smaller, because its maker was killed, is made whole. Best effort:
/// never throws.
class Ballast {
 public:
  explicit Ballast(std::string path);

  /// Makes the file where it is missing or too small and the disk would have the same again left afterwards.
  void fill();
  /// True where the disk has less than 1 MiB left.
  bool is_needed() const;
  /// Gives the room back. False where there was none to give.
  bool release();

 private:
  std::string path_;
};

}  // namespace gp::spool
