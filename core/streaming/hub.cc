#include "core/streaming/hub.h"

#include <algorithm>
#include <utility>

namespace gp::streaming {
namespace {

using Phase = Stream::Phase;

void put(std::vector<Stream*>& streams, std::size_t place, Stream* stream) {
  streams[place] = stream;
  stream->place = static_cast<std::uint32_t>(place);
}

/// Something that those who have every event up to `newest` do not know.
bool is_news(const TailAnswer& answer, std::int64_t newest) {
  const runlog::RunTail& tail = answer.tail;
  return tail.standing != runlog::RunTail::Standing::kOpen ||
         (!tail.events.empty() && tail.events.back().id > newest);
}

/// Does it wait for a read of its own, now that `answer` was offered to those whose cursor it covers? An
/// unanswered poll to which the whole log had nothing to say does not. A stream that is open on its client's
/// word does: its cursor may lie beyond the end.
bool is_waiting(const Stream& stream, const TailAnswer& answer, std::int64_t newest) {
  if (stream.cursor < std::max(newest, answer.asked.after) || stream.is_lagging) return true;
  if (stream.phase != Phase::kOpening) return !stream.is_cursor_confirmed;
  return !(stream.is_poll() && stream.question->has_been_asked);
}

}  // namespace

std::span<Stream* const> Channel::concerned_by(const TailAnswer& answer) const {
  return {streams.data(), is_news(answer, newest) ? streams.size() : waiting};
}

void Channel::settle(const TailAnswer& answer) {
  const std::size_t concerned = concerned_by(answer).size();
  if (!answer.tail.events.empty()) newest = std::max(newest, answer.tail.events.back().id);
  waiting = 0;
  for (std::size_t i = 0; i < concerned; ++i) {
    Stream* stream = streams[i];
    if (!is_waiting(*stream, answer, newest)) continue;
    put(streams, i, streams[waiting]);
    put(streams, waiting++, stream);
  }
}

void Hub::join(const RunId& run_id, Stream& stream) {
  const auto entry = channels_.try_emplace(run_id).first;
  Channel& channel = entry->second;
  channel.run_id = &entry->first;
  stream.channel = &channel;
  auto& streams = channel.streams;
  streams.push_back(&stream);
  put(streams, streams.size() - 1, streams[channel.waiting]);
  put(streams, channel.waiting++, &stream);
}

bool Hub::leave(Stream& stream) {
  Channel* channel = std::exchange(stream.channel, nullptr);
  if (channel == nullptr) return false;
  auto& streams = channel->streams;
  std::size_t gap = stream.place;
  if (gap < channel->waiting) {  // the last of those who wait takes the place, and leaves its own
    const std::size_t last = --channel->waiting;
    put(streams, gap, streams[last]);
    gap = last;
  }
  if (gap + 1 < streams.size()) put(streams, gap, streams.back());
  streams.pop_back();
  if (!streams.empty()) return false;
  channels_.erase(channels_.find(*channel->run_id));
  return true;
}

Channel* Hub::find(const RunId& run_id) {
  const auto found = channels_.find(run_id);
  return found == channels_.end() ? nullptr : &found->second;
}

}  // namespace gp::streaming
