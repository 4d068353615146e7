// gp-chaos [--seed N] [--seconds N | --minutes N]   the whole service under random harm, then a checker that
// proves what must hold of every run, client, document, call and log. The same seed does the same harm in the
// same order; its times depend on the machine. Runs are started, and clients come and go, all the time. Exit
// code 0: everything held.

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <random>
#include <utility>

#include <fmt/format.h>
#include <getopt.h>
#include <sys/mount.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/fault/chaos_record.h"
#include "tests/fault/havoc.h"
#include "tests/support/crowd.h"
#include "tests/support/stack.h"

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr const char* kDiskBytes = "size=96m";  ///< of the spool's file system
constexpr seconds kToEnd{150};                  ///< every run must have ended so long after the last harm

/// A small file system for the spool, where this account may mount one.
class SpoolDisk {
 public:
  SpoolDisk() : is_mounted_(::mount("gp-chaos", folder_.path().c_str(), "tmpfs", 0, kDiskBytes) == 0) {}
  ~SpoolDisk() {
    if (is_mounted_) ::umount2(folder_.path().c_str(), MNT_DETACH);
  }
  SpoolDisk(const SpoolDisk&) = delete;
  SpoolDisk& operator=(const SpoolDisk&) = delete;
  bool is_small() const { return is_mounted_; }
  const std::string& path() const { return folder_.path(); }

 private:
  support::TempFolder folder_;
  bool is_mounted_;
};

std::map<std::string, std::string> settings(const std::string& spool) {
  return {{"LEASE_S", "4"},
          {"LEASE_BEAT_S", "1"},
          {"LOST_AFTER_S", "30"},
          {"SSE_KEEPALIVE_S", "1"},
          {"WORKER_DRAIN_S", "3"},
          {"DRAIN_S", "2"},
          {"WORKER_PROCESSES", "2"},
          {"EVENTS_PROCESSES", "2"},
          {"START_PROCESSES", "2"},
          {"STATUS_PROCESSES", "1"},
          {"LLM_MAX_CALLS", "10"},
          {"RUN_TAKEOVER_WAIT_S", "1"},  // by the default a run that was killed four times waits 135 s
          {"SPOOL_PATH", spool},
          {"SPOOL_MAX_BYTES", "33554432"},
          {"SIM_LLM_TOKENS_PER_SECOND", "1200"}};
}

/// Starts runs and follows them with clients that come and go, and writes down what they get.
class Audience {
 public:
  Audience(const support::Stack& stack, std::uint64_t seed, fault::ChaosRecord& record)
      : stack_(stack), random_(seed), record_(record), crowd_(stack.port(), options()) {}

  void watch() { crowd_.run_for(milliseconds(200)); }

  void turn() {
    crowd_.run_for(milliseconds(50));
    if (gp::steady_now() < next_start_) return;
    next_start_ = gp::steady_now() + milliseconds(draw(150, 900));
    if (draw(0, 9) == 0 && number_ > 0)
      post(draw(0, number_ - 1));  // somebody asks again
    else
      post(number_++);
    if (draw(0, 3) == 0) let_one_go();
  }

  /// Until every client that has stayed has its run's last event.
  bool finish(seconds patience) {
    for (const auto& [project, ids] : record_.run_ids) add_client(ids.front(), 0);  // and one late one each
    return crowd_.run_until([this] { return crowd_.totals().done + crowd_.totals().gone == crowd_.size(); },
                            patience);
  }

  const support::CrowdTotals& totals() const { return crowd_.totals(); }
  int refused() const { return refused_; }

  /// Clients that a page's EventSource would have given up for, or that still wait.
  std::vector<std::string> stranded() const {
    std::vector<std::string> stranded;
    for (std::size_t i = 0; i < crowd_.size(); ++i) {
      const auto client = crowd_.client(i);
      if (client.state == support::ClientState::kDone || client.state == support::ClientState::kGone)
        continue;
      stranded.push_back(fmt::format("a client of {} stands in state {} at event {}, last status {}",
                                     record_.clients[i].run_id, static_cast<int>(client.state),
                                     client.last_id, client.status));
    }
    return stranded;
  }

 private:
  int draw(int least, int most) { return std::uniform_int_distribution<int>(least, most)(random_); }

  support::CrowdOptions options() {
    support::CrowdOptions options;
    options.retry = milliseconds(400);
    options.on_event = [this](const support::CrowdEvent& event) {
      record_.clients[event.client].events.push_back(
          {event.id, std::string(event.name), std::string(event.data)});
    };
    return options;
  }

  void post(int number) {
    const std::string name = fmt::format("chaos_{:05}", number);
    gp::Json body = support::start_body(name);
    body["owner_email"] = fmt::format("owner.of.{:05}.private@school.ae", number);
    try {
      const auto reply = stack_.post_start(body);
      if (reply.status != 202 && reply.status != 200) {
        ++refused_;
        return;
      }
      const std::string run_id = reply.json().at("run_id");
      auto& ids = record_.run_ids[name];
      ids.push_back(run_id);
      record_.addresses.push_back(body["owner_email"]);
      for (int i = ids.size() == 1 ? 2 : 1; i > 0; --i) add_client(run_id, 0);
    } catch (const std::exception&) {
      ++refused_;  // cut: nginx or the handler was killed
    }
  }

  void add_client(std::string run_id, std::int64_t after) {
    crowd_.add("/events/stream?run_id=" + run_id, after);
    record_.clients.push_back({std::move(run_id), after, true, {}});
  }

  /// Goes away for good; another one comes with its cursor.
  void let_one_go() {
    const auto index = static_cast<std::size_t>(draw(0, static_cast<int>(crowd_.size()) - 1));
    const auto client = crowd_.client(index);
    if (client.state != support::ClientState::kOpen) return;
    crowd_.release(index);
    record_.clients[index].has_stayed = false;
    add_client(record_.clients[index].run_id, client.last_id);
  }

  const support::Stack& stack_;
  std::mt19937_64 random_;
  fault::ChaosRecord& record_;
  support::Crowd crowd_;
  gp::SteadyTime next_start_ = gp::steady_now();
  int number_ = 0;
  int refused_ = 0;
};

/// Every run has ended and no step waits any more.
bool wait_until_over(const support::Stack& stack, Audience& audience) {
  const auto deadline = gp::steady_now() + kToEnd;
  while (gp::steady_now() < deadline) {
    const auto open = support::run(fmt::format(
        "psql -XAtq -d '{}' -c \"SELECT count(*) FROM generation_runs WHERE state IN ('queued', 'running')\"",
        stack.database_url()));
    if (open.output == "0\n") return true;
    audience.watch();
  }
  return false;
}

int run(std::uint64_t seed, seconds time) {
  const SpoolDisk disk;
  fmt::print("seed {}, {} s, {}\n", seed, time.count(),
             disk.is_small() ? "the spool on a small disk" : "SKIPPED: full disk (needs root)");
  fault::ChaosRecord record;
  record.spool = disk.path() + "/spool.db";
  const support::Stack stack(settings(record.spool));
  record.database_url = stack.database_url();
  record.folder = stack.folder();
  Audience audience(stack, seed, record);
  fault::Havoc havoc(stack, seed, disk.is_small() ? disk.path() : "");
  const auto end = gp::steady_now() + time;
  while (gp::steady_now() < end) {
    havoc.turn();
    audience.turn();
  }
  havoc.heal();
  const bool is_over = wait_until_over(stack, audience);
  const bool have_all = audience.finish(seconds(60));
  record.calls = stack.calls("");
  for (const auto& [kind, count] : havoc.counts()) fmt::print("{:4} x {}\n", count, kind);
  fmt::print("starts refused  {}\nreconnects      {}\n", audience.refused(), audience.totals().reconnects);
  auto faults = check_chaos(record);
  if (!is_over) faults.emplace_back("not every run has ended");
  if (!have_all) {
    for (std::string& client : audience.stranded()) faults.push_back(std::move(client));
  }
  if (!audience.totals().is_exact()) faults.emplace_back("a client got an event twice, or missed one");
  for (const std::string& fault : faults) fmt::print("FAULT: {}\n", fault);
  const char* keep = std::getenv("GP_CHAOS_KEEP");  // a folder for what tells why
  if (keep != nullptr && !faults.empty())
    support::run(fmt::format("mkdir -p {0} && cp -r {1}/state/log {1}/state/logs {0}", keep, stack.folder()));
  return faults.empty() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t seed = std::random_device{}();
  int time_s = 60;
  const option options[] = {{"seed", required_argument, nullptr, 's'},
                            {"seconds", required_argument, nullptr, 't'},
                            {"minutes", required_argument, nullptr, 'm'},
                            {nullptr, 0, nullptr, 0}};
  for (int which = 0; (which = ::getopt_long(argc, argv, "", options, nullptr)) != -1;) {
    if (which == '?') return 64;
    const std::string value = optarg;
    if (which == 's') seed = std::stoull(value);
    if (which == 't') time_s = std::stoi(value);
    if (which == 'm') time_s = std::stoi(value) * 60;
  }
  std::signal(SIGPIPE, SIG_IGN);
  ::setvbuf(stdout, nullptr, _IOLBF, 0);
  try {
    return run(seed, seconds(time_s));
  } catch (const std::exception& error) {
    std::cerr << "gp-chaos: " << error.what() << '\n';
    return 1;
  }
}
