#include "core/spool/host_slot.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/report.h"
#include "core/spool/byte_lock.h"

namespace gp::spool {
namespace {

constexpr int kSlots = 1024;  ///< many times what pools of one host can have
/// How long to wait for the preferred slot: a sibling may hold it just to look after a dead holder's estate.
constexpr std::chrono::milliseconds kPatience{300};
constexpr std::chrono::milliseconds kRetry{20};

}  // namespace

HostSlot::HostSlot(std::string path, int preferred, int beyond) : path_(std::move(path)) {
  open_file();
  take(preferred, beyond);
}

void HostSlot::open_file() {
  std::error_code ignored;
  std::filesystem::create_directories(std::filesystem::path(path_).parent_path(), ignored);
  file_.reset(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file_)
    throw Error(ErrorKind::kUnavailable,
                fmt::format("cannot open the file of slots '{}': {}", path_, std::strerror(errno)));
}

bool HostSlot::try_lock(int slot) const {
  if (try_lock_byte(file_.get(), slot)) return true;
  if (errno == EAGAIN || errno == EACCES || errno == EINTR) return false;
  throw Error(ErrorKind::kUnavailable,
              fmt::format("cannot lock slot {} in '{}': {}", slot, path_, std::strerror(errno)));
}

void HostSlot::unlock(int slot) const { unlock_byte(file_.get(), slot); }

/// Best effort: on a full disk there is no mark, and what the slot leaves is found by its outbox rows and by
/// the end of its leases.
void HostSlot::mark(int slot, bool is_held) const {
  const char byte = is_held ? '1' : '0';
  [[maybe_unused]] const ssize_t written = ::pwrite(file_.get(), &byte, 1, slot);
}

bool HostSlot::wait_for(int slot) const {
  const SteadyTime deadline = steady_now() + kPatience;
  while (!try_lock(slot)) {
    if (steady_now() >= deadline) return false;
    std::this_thread::sleep_for(kRetry);
  }
  return true;
}

void HostSlot::take(int preferred, int beyond) {
  if (wait_for(preferred)) {
    number_ = preferred;
  } else {
    for (int slot = beyond; slot < kSlots && number_ < 0; ++slot) {
      if (try_lock(slot)) number_ = slot;
    }
    if (number_ < 0)
      throw Error(ErrorKind::kUnavailable,
                  fmt::format("no slot is free in '{}': is it shared by so many?", path_));
    report::report(report::SlotHeldElsewhere{preferred, number_, path_});
  }
  mark(number_, true);
}

std::vector<int> HostSlot::inherit(std::span<const int> more) {
  std::array<char, kSlots> marks{};
  [[maybe_unused]] const ssize_t got = ::pread(file_.get(), marks.data(), marks.size(), 0);
  for (const int slot : more) {
    if (slot >= 0 && slot < kSlots) marks.at(static_cast<std::size_t>(slot)) = '1';
  }
  std::vector<int> taken;
  for (int slot = 0; slot < kSlots; ++slot) {
    if (marks.at(static_cast<std::size_t>(slot)) != '1' || slot == number_ || inherited_.contains(slot))
      continue;
    if (!try_lock(slot)) continue;
    inherited_.insert(slot);
    taken.push_back(slot);
  }
  return taken;
}

void HostSlot::settle(int slot) {
  if (inherited_.erase(slot) == 0) return;
  mark(slot, false);
  unlock(slot);
}

void HostSlot::leave() { mark(number_, false); }

bool HostSlot::keep() {
  if (is_still_at(file_.get(), path_)) return true;
  inherited_.clear();  // whoever finds what is left of them may look after it
  open_file();
  if (!try_lock(number_)) return false;
  mark(number_, true);
  return true;
}

}  // namespace gp::spool
