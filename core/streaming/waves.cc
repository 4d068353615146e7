#include "core/streaming/waves.h"

#include <algorithm>
#include <iterator>

#include "core/streaming/hub.h"

namespace gp::streaming {

Waves::Wave::Wave(TailAnswer&& given, std::size_t lanes)
    : answer(std::move(given)), delivery(answer), parts(lanes) {}

bool Waves::Wave::is_over() const { return std::ranges::all_of(parts, &Part::is_over); }

void Waves::begin(TailAnswer&& answer, std::span<Stream* const> to) {
  Wave& wave = waves_.emplace_back(std::move(answer), lanes_.size());
  for (const Stream* stream : to) wave.parts[stream->lane].fds.push_back(stream->fd.get());
}

std::list<Waves::Wave>::iterator Waves::find(const RunId& run_id) {
  return std::ranges::find_if(waves_, [&](const Wave& wave) { return wave.answer.asked.run_id == run_id; });
}

bool Waves::put_behind(TailAnswer& answer) {
  const auto wave = find(answer.asked.run_id);
  if (wave == waves_.end()) return false;
  if (wave->behind.empty() || !wave->behind.back().join(answer)) wave->behind.push_back(std::move(answer));
  return true;
}

std::vector<TailAnswer> Waves::advance() {
  for (std::size_t lane = 0; lane < lanes_.size(); ++lane) advance(lane);
  std::vector<TailAnswer> behind;
  std::erase_if(waves_, [&](Wave& wave) {
    if (!wave.is_over()) return false;
    end_(wave.answer, wave.delivery);
    std::ranges::move(wave.behind, std::back_inserter(behind));
    return true;
  });
  return behind;
}

/// In each lane the older wave goes first.
void Waves::advance(std::size_t lane) {
  for (Wave& wave : waves_) {
    if (lane >= wave.parts.size()) continue;  // its process came after the wave had begun
    while (!wave.parts[lane].is_over()) {
      if (lanes_.at(lane).is_ahead(streams_)) return;
      offer_next(wave, lane);
    }
  }
}

/// A descriptor may be another stream's by now. Where that one follows the run too it may have the answer as
/// well.
void Waves::offer_next(Wave& wave, std::size_t lane) {
  Part& part = wave.parts[lane];
  Stream* stream = streams_.find(part.fds[part.next++]);
  if (stream == nullptr || stream->channel == nullptr) return;
  if (*stream->channel->run_id != wave.answer.asked.run_id) return;
  lanes_.at(stream->lane).give(*stream, wave.delivery.bytes_for(*stream), [&] {
    offer_(*stream, wave.answer, wave.delivery);
  });
}

}  // namespace gp::streaming
