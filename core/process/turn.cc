#include "core/process/turn.h"

#include <algorithm>
#include <new>

#include <sys/mman.h>

#include "core/base/clock.h"
#include "core/base/error.h"

namespace gp::process {
namespace {

std::chrono::nanoseconds now() { return steady_now().time_since_epoch(); }

}  // namespace

Turn::Turn() {
  void* memory = ::mmap(nullptr, sizeof(Until), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw Error(ErrorKind::kUnavailable, "no memory can be shared");
  until_ = new (memory) Until(0);
}

Turn::~Turn() { ::munmap(until_, sizeof(Until)); }

void Turn::begin() noexcept { until_->store((now() + kPatience).count(), std::memory_order_relaxed); }

void Turn::end() noexcept { until_->store(0, std::memory_order_relaxed); }

std::chrono::nanoseconds Turn::left() const noexcept {
  const std::chrono::nanoseconds until(until_->load(std::memory_order_relaxed));
  return std::max(until - now(), std::chrono::nanoseconds(0));
}

}  // namespace gp::process
