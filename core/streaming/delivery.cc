#include "core/streaming/delivery.h"

#include <chrono>
#include <utility>

#include "core/base/clock.h"
#include "core/base/metrics.h"

namespace gp::streaming {

void Delivery::give(Stream& stream, StreamWriter& writer) {
  const std::int64_t before = stream.cursor;
  writer.send_events(stream, frames_);
  for (std::int64_t id = before + 1; id <= stream.cursor; ++id)
    ++takers_[static_cast<std::size_t>(id - answer_.tail.events.front().id)];
}

void Delivery::count() const {
  using metrics::Counter;
  const auto counter = answer_.source == TailAnswer::Source::kReplay ? Counter::kEventsReplayedFromSpool
                                                                     : Counter::kEventsReplayedFromPostgres;
  const auto now = wall_now().time_since_epoch();
  for (std::size_t i = 0; i < takers_.size(); ++i) {
    if (takers_[i] == 0) continue;
    if (!answer_.is_live) {
      metrics::count(counter, takers_[i]);
    } else if (const auto committed = answer_.tail.events[i].committed_at_ms; committed != 0) {
      metrics::observe(metrics::Histogram::kDeliveryLag, now - std::chrono::milliseconds(committed),
                       takers_[i]);
    }
  }
}

std::vector<spool::CachedEvent> as_cached(TailAnswer&& answer) {
  std::vector<spool::CachedEvent> events;
  events.reserve(answer.tail.events.size());
  for (runlog::StoredEvent& event : answer.tail.events)
    events.push_back(
        {answer.asked.run_id, event.id, std::move(event.type), std::move(event.data), event.committed_at_ms});
  return events;
}

}  // namespace gp::streaming
