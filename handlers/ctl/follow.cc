#include "handlers/ctl/follow.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/json.h"

namespace gp::ctl {
namespace {

constexpr std::chrono::seconds kSlowTimer{2};  // a lost ring costs at most this
constexpr int kPage = 100;

/// "[######    ] 3 of 5"
std::string progress(int done, int total) {
  constexpr int kWidth = 20;
  const int filled = total > 0 ? std::clamp(done * kWidth / total, 0, kWidth) : 0;
  return fmt::format("[{:#<{}}{: <{}}] {} of {}", "", filled, "", kWidth - filled, done, total);
}

std::string describe(const runlog::StoredEvent& event) {
  const Json data = parse_json(event.data);
  const auto text = [&](const char* member) { return data.value(member, std::string()); };
  std::string line = fmt::format("{} {:>3} {:<18}", text("at"), event.id, event.type);
  if (event.type == "run_started")
    return line + fmt::format("attempt {}, {}", data.value("attempt", 0), text("model"));
  if (event.type == "plan_completed")
    return line + fmt::format("{} sections", data.at("plan").at("sections").size());
  if (event.type == "section_started") return line + fmt::format("{} {}", text("section_id"), text("name"));
  if (event.type == "section_completed") {
    return line + fmt::format("{} {} {}", progress(data.value("index", 0), data.value("total", 0)),
                              text("section_id"), text("name"));
  }
  if (event.type == "run_completed")
    return line + fmt::format("{} ms", data.value("duration_ms", std::int64_t{0}));
  return line + fmt::format("{}: {}", text("code"), text("message"));
}

void print(const runlog::RunTail& tail, bool as_json) {
  for (const auto& event : tail.events) {
    if (as_json) {
      fmt::print(R"({{"id":{},"event":"{}","data":{}}})"
                 "\n",
                 event.id, event.type, event.data);
    } else {
      fmt::print("{}\n", describe(event));
    }
  }
  std::fflush(stdout);
}

}  // namespace

ExitCode follow(const Config& config, runlog::Cursor cursor, bool as_json) {
  using Standing = runlog::RunTail::Standing;
  runlog::EventReader reader(config.database_listen_url);
  reader.ensure_listening();
  std::string last_type;
  while (true) {
    const auto tail = reader.read(std::span(&cursor, 1), kPage).front();
    if (tail.standing == Standing::kUnknown) throw Error(ErrorKind::kNotFound, "there is no such run");
    if (tail.standing == Standing::kPruned)
      throw Error(ErrorKind::kNotFound, "the run's events are older than the retention");
    print(tail, as_json);
    if (!tail.events.empty()) {
      cursor.after = tail.events.back().id;
      last_type = tail.events.back().type;
    }
    if (cursor.after < tail.last_id) continue;
    if (tail.standing == Standing::kEnded) return last_type == "error" ? ExitCode::kFailure : ExitCode::kOk;
    reader.wait_for_ring(kSlowTimer, -1);
  }
}

}  // namespace gp::ctl
