// gp-package-load PORT NAME: what callers do to an installed service while it is restarted and upgraded.
// Starts two runs a second with four streams each, and asks for /health, /status and a known /start as fast
// as answers come, from two threads. On SIGTERM (or SIGINT) it starts nothing more, follows every run to its
// end, prints one line of JSON and exits with 0 if nothing went wrong: no request failed, every stream
// got 1..n, every run is complete. NAME begins the projects' names. Prints "loaded" once the first run has a
// section.

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

#include "core/base/json.h"
#include "tests/support/crowd.h"
#include "tests/support/http_client.h"
#include "tests/support/stack.h"

namespace {

using support::Crowd;
using support::CrowdEvent;

constexpr std::chrono::milliseconds kBetweenRuns{500};
constexpr std::chrono::milliseconds kBetweenRequests{5};  // of one asker: the machine has other work
constexpr int kStreamsPerRun = 4;
constexpr std::chrono::seconds kLongestEnd{120};

volatile std::sig_atomic_t is_told_to_end = 0;

/// Requests of one kind and how many of them failed: no answer, or not the status that was due.
struct Tally {
  std::atomic<std::uint64_t> requests = 0;
  std::atomic<std::uint64_t> failed = 0;

  bool ask(int port, const char* method, const std::string& target, const std::string& body,
           const std::set<int>& due, support::Reply* reply = nullptr) {
    ++requests;
    std::string fault;
    try {
      auto answer = support::request(port, method, target, body, {{"Content-Type", "application/json"}});
      if (due.contains(answer.status)) {
        if (reply != nullptr) *reply = std::move(answer);
        return true;
      }
      fault = fmt::format("{} {}", answer.status, answer.body);
    } catch (const std::exception& error) {
      fault = error.what();
    }
    ++failed;
    fmt::print(stderr, "{} {}: {}\n", method, target, fault);
    return false;
  }
};

/// What the streams have shown of the runs.
struct Runs {
  std::set<std::string> started, ended_in_error, resumed;
  bool has_section = false;

  void note(const CrowdEvent& event) {
    const auto data = gp::parse_json(std::string(event.data));
    const std::string run = data.at("run_id").get<std::string>();
    if (event.name == "error") ended_in_error.insert(run);
    if (event.name == "run_started" && event.id > 1) resumed.insert(run);
    if (event.name == "section_completed" && !has_section) {
      has_section = true;
      fmt::print("loaded\n");
      std::fflush(stdout);
    }
  }
};

gp::Json body(const std::string& name, std::size_t n) {
  return support::start_body(fmt::format("{}-{}", name, n));
}

/// Asks for what is there already, again and again.
void ask_on(int port, Tally& tally, const std::string& name, const std::stop_token& stop) {
  const std::string known = gp::dump_json(body(name, 0));
  const std::string document = fmt::format("/status/{}-0", name);
  while (!stop.stop_requested()) {
    tally.ask(port, "GET", "/health", {}, {200});
    tally.ask(port, "POST", "/start", known, {200});
    tally.ask(port, "GET", document, {}, {200, 404});  // 404: before its first event
    std::this_thread::sleep_for(kBetweenRequests);
  }
}

int report(const Tally& tally, const Runs& runs, const Crowd& crowd, bool all_ended) {
  const auto& totals = crowd.totals();
  const bool is_good = tally.failed == 0 && all_ended && totals.is_exact() && totals.refused == 0 &&
                       totals.unreachable == 0 && totals.cut == 0 && runs.ended_in_error.empty();
  fmt::print("{}\n", gp::dump_json({{"requests", tally.requests.load()},
                                    {"failed", tally.failed.load()},
                                    {"runs", runs.started.size()},
                                    {"runs_resumed", runs.resumed.size()},
                                    {"runs_in_error", runs.ended_in_error.size()},
                                    {"streams", crowd.size()},
                                    {"streams_at_their_end", totals.done},
                                    {"events", totals.events},
                                    {"reconnects", totals.reconnects},
                                    {"repeats", totals.repeats},
                                    {"gaps", totals.gaps},
                                    {"disorders", totals.disorders},
                                    {"cut", totals.cut},
                                    {"refused", totals.refused},
                                    {"unreachable", totals.unreachable}}));
  return is_good ? 0 : 1;
}

int run(int port, const std::string& name) {
  Runs runs;
  support::CrowdOptions options;
  options.on_event = [&](const CrowdEvent& event) { runs.note(event); };
  Crowd crowd(port, options);
  Tally tally;
  const auto start_one = [&] {
    support::Reply reply;
    if (!tally.ask(port, "POST", "/start", gp::dump_json(body(name, runs.started.size())), {202}, &reply))
      return;
    const std::string run_id = reply.json().at("run_id").get<std::string>();
    runs.started.insert(run_id);
    for (int i = 0; i < kStreamsPerRun; ++i) crowd.add("/events/stream?run_id=" + run_id);
  };
  start_one();
  {
    std::array<std::jthread, 2> askers;
    for (auto& asker : askers) {
      asker = std::jthread([&](const std::stop_token& stop) { ask_on(port, tally, name, stop); });
    }
    while (is_told_to_end == 0) {
      crowd.run_for(kBetweenRuns);
      start_one();
    }
  }
  const bool all_ended = crowd.run_until([&] { return crowd.totals().done == crowd.size(); }, kLongestEnd);
  return report(tally, runs, crowd, all_ended);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 64;
  for (const int signal : {SIGTERM, SIGINT}) std::signal(signal, [](int) { is_told_to_end = 1; });
  try {
    return run(std::stoi(argv[1]), argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "gp-package-load: {}\n", error.what());
    return 70;
  }
}
