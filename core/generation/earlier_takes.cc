#include "core/generation/earlier_takes.h"

#include <algorithm>
#include <string>
#include <utility>

namespace gp::generation {
namespace {

using project::EventType;
using std::chrono::milliseconds;

/// 0 where a clock was set back meanwhile.
milliseconds between(WallTime begin, WallTime end) {
  return std::max(milliseconds(0), std::chrono::duration_cast<milliseconds>(end - begin));
}

}  // namespace

EarlierTakes earlier_takes(std::span<const project::Event> events, std::string_view fallback) {
  EarlierTakes takes;
  std::optional<WallTime> take_began;
  milliseconds worked{0};  // by the take that the loop is at
  std::string model;       // of the event before, where that is a run_started
  for (const project::Event& event : events) {
    const std::string former_model = std::exchange(model, {});
    if (is_terminal(event.type)) {
      takes = {};
      worked = milliseconds(0);
      continue;
    }
    const auto at = parse_rfc3339(event.data.value("at", std::string()));
    if (event.type == EventType::kRunStarted) {
      model = event.data.value("model", std::string());
      if (model == fallback && !former_model.empty() && former_model != fallback) continue;
      ++takes.count;
      takes.worked += std::exchange(worked, milliseconds(0));
      take_began = at;
      if (!takes.began) takes.began = at;
    } else if (at && take_began) {
      worked = between(*take_began, *at);
    }
  }
  takes.worked += worked;
  return takes;
}

milliseconds time_left(milliseconds limit, const EarlierTakes& earlier) {
  return std::max(limit - earlier.worked, limit / 4);
}

milliseconds time_since(const EarlierTakes& earlier, WallTime now) {
  return earlier.began ? between(*earlier.began, now) : milliseconds(0);
}

}  // namespace gp::generation
