#include "core/streaming/hub.h"

#include <utility>

namespace gp::streaming {

void Hub::join(const RunId& run_id, Stream& stream) {
  const auto entry = channels_.try_emplace(run_id).first;
  Channel& channel = entry->second;
  channel.run_id = &entry->first;
  stream.place = static_cast<std::uint32_t>(channel.streams.size());
  channel.streams.push_back(&stream);
  stream.channel = &channel;
}

bool Hub::leave(Stream& stream) {
  Channel* channel = std::exchange(stream.channel, nullptr);
  if (channel == nullptr) return false;
  auto& streams = channel->streams;
  streams[stream.place] = streams.back();  // their order means nothing
  streams[stream.place]->place = stream.place;
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
