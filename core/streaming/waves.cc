#include "core/streaming/waves.h"

#include <algorithm>
#include <iterator>

#include "core/streaming/hub.h"

namespace gp::streaming {

Waves::Wave::Wave(TailAnswer&& given, std::size_t peers)
    : answer(std::move(given)), delivery(answer), parts(peers) {}

bool Waves::Wave::is_over() const { return std::ranges::all_of(parts, &Part::is_over); }

void Waves::begin(TailAnswer&& answer, std::span<Stream* const> to) {
  Wave& wave = waves_.emplace_back(std::move(answer), peers_.size());
  for (const Stream* stream : to) wave.parts[stream->peer].fds.push_back(stream->fd.get());
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
  turns_.resize(peers_.size());
  for (bool is_over = true; is_over;) {  // then another part may begin
    end_turns();
    begin_turns();
    is_over = false;
    for (std::size_t peer = 0; peer < turns_.size(); ++peer) is_over |= go_on(peer);
  }
  std::vector<TailAnswer> behind;
  std::erase_if(waves_, [&](Wave& wave) {
    if (!wave.is_over()) return false;
    end_(wave.answer, wave.delivery);
    std::ranges::move(wave.behind, std::back_inserter(behind));
    return true;
  });
  return behind;
}

/// The oldest part first, of all peers': a peer that has a turn already goes on with a later wave only where
/// no older one waits for the turn.
void Waves::begin_turns() {
  const std::size_t most = std::max<std::size_t>(peers_.in_use(), 2) - 1;
  auto count = static_cast<std::size_t>(std::ranges::count(turns_, true, &Turn::is_on));
  for (Wave& wave : waves_) {
    for (std::size_t peer = 0; peer < wave.parts.size(); ++peer) {
      Turn& turn = turns_[peer];
      if (wave.parts[peer].is_over() || turn.wave != nullptr) continue;
      if (!turn.is_on) {
        if (count >= most) return;
        ++count;
        peers_.at(peer).begin_turn();
      }
      turn = {true, &wave};
    }
  }
}

/// True where its part is over now.
bool Waves::go_on(std::size_t peer) {
  Turn& turn = turns_[peer];
  if (turn.wave == nullptr) return false;
  while (!turn.wave->parts[peer].is_over()) {
    if (peers_.at(peer).has_enough(streams_)) return false;
    offer_next(*turn.wave, peer);
  }
  turn.wave = nullptr;
  return true;
}

void Waves::end_turns() {
  for (std::size_t peer = 0; peer < turns_.size(); ++peer) {
    Turn& turn = turns_[peer];
    if (turn.is_on && turn.wave == nullptr && peers_.at(peer).has_caught_up(streams_)) turn.is_on = false;
  }
}

/// A descriptor may be another stream's by now. Where that one follows the run too it may have the answer as
/// well.
void Waves::offer_next(Wave& wave, std::size_t peer) {
  Part& part = wave.parts[peer];
  Stream* stream = streams_.find(part.fds[part.next++]);
  if (stream == nullptr || stream->channel == nullptr) return;
  if (*stream->channel->run_id != wave.answer.asked.run_id) return;
  peers_.at(stream->peer).give(*stream, wave.delivery.bytes_for(*stream), [&] {
    offer_(*stream, wave.answer, wave.delivery);
  });
}

}  // namespace gp::streaming
