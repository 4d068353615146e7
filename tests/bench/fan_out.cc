#include "tests/bench/fan_out.h"

#include <charconv>
#include <exception>
#include <iostream>
#include <thread>

#include "tests/bench/interruption.h"
#include "tests/bench/streams.h"

namespace bench {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMostMessages = 100000;
constexpr seconds kPatience{10};  ///< for one message to be everywhere
constexpr int kMostBacklog = 5;   ///< times as long as messages come: until the last one is everywhere

support::CrowdOptions an_audience() {
  support::CrowdOptions options;
  options.reconnects = false;
  options.connects_per_second = 20000;  // as after a restart: all come back within moments
  return options;
}

}  // namespace

std::int64_t number_in(std::string_view data) {
  constexpr std::string_view kFirst = "{\"number\":";
  std::int64_t number = 0;
  if (data.starts_with(kFirst))
    std::from_chars(data.data() + kFirst.size(), data.data() + data.size(), number);
  return number;
}

FanOut::FanOut(FanOutPlan plan, Publish publish)
    : plan_(std::move(plan)), publish_(std::move(publish)), book_(1, kMostMessages) {}

FanOutResult FanOut::run(const std::function<std::size_t(support::Crowd&)>& open,
                         const std::function<void(const support::Crowd&)>& note_faults) {
  support::CrowdOptions options = an_audience();
  options.on_event = [this](const support::CrowdEvent& event) { take(event); };
  support::Crowd crowd(plan_.port, options);
  for (std::size_t i = 0; i < plan_.streams; ++i) crowd.add(plan_.target);
  const auto coming = gp::steady_now();
  open_ = open(crowd);
  begin_ = last_delivery_ = gp::steady_now();
  std::jthread publisher([this] { publish_all(); });
  const auto is_over = [&] {
    const std::lock_guard lock(mutex_);
    return is_published_ && delivered_ >= open_ * static_cast<std::uint64_t>(published_);
  };
  drive(crowd, is_over, kMostBacklog * plan_.time + kPatience);
  publisher.join();
  note_faults(crowd);
  return {open_,
          per_second(open_, begin_ - coming),
          static_cast<std::uint64_t>(published_),
          delivered_,
          per_second(delivered_, last_delivery_ - begin_),
          book_.lags()};
}

void FanOut::publish_all() {
  std::int64_t number = 0;
  try {
    const auto deadline = begin_ + plan_.time;
    while (gp::steady_now() < deadline && !is_interrupted() &&
           static_cast<std::size_t>(number) < kMostMessages && wait_for_turn(number)) {
      ++number;
      book_.committed(0, number, publish_(number));
      const std::lock_guard lock(mutex_);
      published_ = number;
    }
  } catch (const std::exception& error) {
    std::cerr << "the publisher ended: " << error.what() << '\n';
  }
  const std::lock_guard lock(mutex_);
  is_published_ = true;
}

/// False where the last message did not get everywhere in time.
bool FanOut::wait_for_turn(std::int64_t published) {
  if (plan_.period) {
    std::this_thread::sleep_until(begin_ + *plan_.period * published);
    return true;
  }
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, kPatience, [&] { return delivered_everywhere_ >= published; });
}

void FanOut::take(const support::CrowdEvent& event) {
  book_.received(0, event.id > 0 ? event.id : number_in(event.data), event.received);
  ++delivered_;
  last_delivery_ = event.received;
  if (open_ == 0 || delivered_ % open_ != 0) return;
  const std::lock_guard lock(mutex_);
  delivered_everywhere_ = static_cast<std::int64_t>(delivered_ / open_);
  changed_.notify_one();
}

}  // namespace bench
