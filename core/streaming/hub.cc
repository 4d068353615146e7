#include "core/streaming/hub.h"

#include <algorithm>
#include <utility>

#include "core/fcgi/records.h"
#include "core/http/sse.h"

namespace gp::streaming {
namespace {

constexpr std::chrono::seconds kSlowTimer{2};

}  // namespace

Channel& Hub::join(const RunId& run_id, Stream& stream) {
  Channel& channel =
      channels_.try_emplace(run_id, Channel{run_id, {}, steady_now() + kSlowTimer}).first->second;
  channel.streams.push_back(&stream);
  stream.channel = &channel;
  return channel;
}

void Hub::leave(Stream& stream) {
  Channel* channel = std::exchange(stream.channel, nullptr);
  if (channel == nullptr) return;
  std::erase(channel->streams, &stream);
  if (channel->streams.empty()) channels_.erase(RunId(channel->run_id));
}

void Hub::deliver(const TailAnswer& answer, const Visitors& visitors) {
  const auto found = channels_.find(answer.asked.run_id);
  if (found == channels_.end()) return;  // everybody has gone meanwhile
  Channel& channel = found->second;
  channel.next_check = steady_now() + kSlowTimer;
  std::vector<Stream*> covered;
  for (Stream* stream : channel.streams) {
    if (stream->cursor < answer.asked.after) continue;  // its own read is on its way
    visitors.before(*stream, answer.tail);
    covered.push_back(stream);
  }
  for (const runlog::StoredEvent& event : answer.tail.events) {
    std::string frame;
    fcgi::append_stdout(frame, http::sse::event(event.id, event.type, event.data));
    for (Stream* stream : covered) {
      const bool can_take =
          stream->phase == Stream::Phase::kLive && !stream->is_lagging && stream->cursor == event.id - 1;
      if (can_take && visitors.offer(*stream, event.id, frame)) stream->cursor = event.id;
    }
  }
  for (Stream* stream : covered) visitors.after(*stream, answer.tail);
}

std::optional<runlog::Cursor> Hub::lowest_cursor(const Channel& channel) {
  std::optional<runlog::Cursor> lowest;
  for (const Stream* stream : channel.streams) {
    const bool can_take = stream->phase == Stream::Phase::kOpening || stream->phase == Stream::Phase::kLive;
    if (!can_take || stream->is_lagging) continue;
    if (!lowest || stream->cursor < lowest->after) lowest = runlog::Cursor{channel.run_id, stream->cursor};
  }
  return lowest;
}

std::optional<runlog::Cursor> Hub::cursor_of(const RunId& run_id) const {
  const auto found = channels_.find(run_id);
  return found == channels_.end() ? std::nullopt : lowest_cursor(found->second);
}

std::vector<runlog::Cursor> Hub::all_cursors() const {
  std::vector<runlog::Cursor> cursors;
  for (const auto& [run_id, channel] : channels_) {
    if (auto cursor = lowest_cursor(channel)) cursors.push_back(std::move(*cursor));
  }
  return cursors;
}

std::vector<runlog::Cursor> Hub::due_cursors(SteadyTime now) {
  std::vector<runlog::Cursor> cursors;
  for (auto& [run_id, channel] : channels_) {
    if (channel.next_check > now) continue;
    channel.next_check = now + kSlowTimer;
    if (auto cursor = lowest_cursor(channel)) cursors.push_back(std::move(*cursor));
  }
  return cursors;
}

}  // namespace gp::streaming
