#include "core/spool/byte_lock.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace gp::spool {
namespace {

bool set_lock(int fd, short type, off_t byte) {
  struct flock lock {};
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  lock.l_start = byte;
  lock.l_len = 1;
  return ::fcntl(fd, F_OFD_SETLK, &lock) == 0;
}

}  // namespace

bool try_lock_byte(int fd, off_t byte) { return set_lock(fd, F_WRLCK, byte); }

void unlock_byte(int fd, off_t byte) { set_lock(fd, F_UNLCK, byte); }

bool is_still_at(int fd, const std::string& path) {
  struct stat open_file {};
  struct stat named {};
  return ::fstat(fd, &open_file) == 0 && ::stat(path.c_str(), &named) == 0 &&
         open_file.st_dev == named.st_dev && open_file.st_ino == named.st_ino;
}

}  // namespace gp::spool
