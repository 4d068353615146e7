#include "tests/fault/havoc.h"

#include <algorithm>
#include <csignal>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

namespace fault {

using std::chrono::milliseconds;
using std::chrono::seconds;

Havoc::Havoc(const support::Stack& stack, std::uint64_t seed, std::string disk)
    : stack_(stack), random_(seed), disk_(std::move(disk)) {
  kinds_ = {{"kill a worker", 5, [this] { signal_child("worker", SIGKILL); }},
            {"kill a stream process", 2, [this] { signal_child("events", SIGKILL); }},
            {"kill a start process", 2, [this] { signal_child("start", SIGKILL); }},
            {"kill a status process", 1, [this] { signal_child("status", SIGKILL); }},
            {"kill an nginx worker", 1, [this] { signal_child("nginx", SIGKILL); }},
            {"put a worker to sleep", 4, [this] { nap("worker"); }},
            {"put a stream process to sleep", 2, [this] { nap("events"); }},
            {"kill the pool of workers", 1, [this] { kill_pool("worker"); }},
            {"kill the pool of streams", 1, [this] { kill_pool("events"); }},
            {"restart the workers", 2, [this] { restart("worker"); }},
            {"restart the streams", 1, [this] { restart("events"); }},
            {"restart the start pool", 1, [this] { restart("start"); }},
            {"renew the workers", 1, [this] { ::kill(stack_.pid_of("worker"), SIGHUP); }},
            {"reload nginx", 2, [this] { ::kill(stack_.pid_of("nginx"), SIGHUP); }},
            {"stop the database", 2, [this] { take_database_away(); }},
            {"end the database's sessions", 3, [this] { end_sessions(); }},
            {"let the LLM fail", 6, [this] { fail_llm(); }},
            {"damage the spool", 1, [this] { damage_spool(); }}};
  if (!disk_.empty()) kinds_.push_back({"fill the disk", 2, [this] { fill_disk(); }});
}

milliseconds Havoc::between(int least, int most) {
  return milliseconds(std::uniform_int_distribution<int>(least, most)(random_));
}

void Havoc::later(milliseconds wait, std::function<void()> act) {
  undos_.push_back({gp::steady_now() + wait, std::move(act)});
}

void Havoc::undo_due(bool all) {
  std::vector<Undo> due;
  std::erase_if(undos_, [&](Undo& undo) {
    if (!all && undo.due > gp::steady_now()) return false;
    due.push_back(std::move(undo));
    return true;
  });
  for (const Undo& undo : due) undo.act();
}

void Havoc::turn() {
  undo_due(false);
  if (gp::steady_now() < next_) return;
  do_one();
  next_ = gp::steady_now() + between(400, 2000);
}

void Havoc::do_one() {
  std::vector<int> weights;
  for (const Kind& kind : kinds_) weights.push_back(kind.weight);
  const Kind& kind = kinds_[std::discrete_distribution<std::size_t>(weights.begin(), weights.end())(random_)];
  const auto at = std::chrono::duration_cast<milliseconds>(gp::steady_now() - begun_);
  try {
    kind.act();
    ++counts_[kind.name];
    fmt::print("{:8.3f} s  {}\n", static_cast<double>(at.count()) / 1000, kind.name);
  } catch (const std::exception&) {
    // The process is just being replaced: there is nothing to harm.
  }
}

void Havoc::heal() {
  undo_due(true);
  restarts_.clear();  // waits for those under way
  undo_due(true);
  if (std::exchange(is_database_away_, false)) stack_.start_database();
}

// Processes
// ------------------------------------------------------------------------------------------------------------

int Havoc::child_of(const std::string& pool) {
  const std::string text = support::run(fmt::format("pgrep -P {}", stack_.pid_of(pool))).output;
  std::vector<int> pids;
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    pids.push_back(std::stoi(text.substr(at)));
  if (pids.empty()) throw std::runtime_error("no child");
  return pids[std::uniform_int_distribution<std::size_t>(0, pids.size() - 1)(random_)];
}

void Havoc::signal_child(const std::string& pool, int signal) { ::kill(child_of(pool), signal); }

/// Shorter or longer than a lease.
void Havoc::nap(const std::string& pool) {
  const int pid = child_of(pool);
  ::kill(pid, SIGSTOP);
  later(between(500, 7000), [pid] { ::kill(pid, SIGCONT); });
}

/// The master; its children are told by the kernel and drain while the next pool is started beside them.
void Havoc::kill_pool(const std::string& pool) {
  ::kill(stack_.pid_of(pool), SIGKILL);
  restart(pool);
}

void Havoc::restart(const std::string& pool) {
  restarts_.erase(pool);  // waits for the one before
  restarts_.emplace(pool, [this, pool] {
    try {
      stack_.restart(pool);
    } catch (const std::exception& error) {
      fmt::print("restart {}: {}\n", pool, error.what());
    }
  });
}

// What they depend on
// --------------------------------------------------------------------------------------------------

void Havoc::take_database_away() {
  if (std::exchange(is_database_away_, true)) throw std::runtime_error("it is away");
  stack_.stop_database();
  later(between(500, 8000), [this] {
    if (std::exchange(is_database_away_, false)) stack_.start_database();
  });
}

void Havoc::end_sessions() {
  if (is_database_away_) throw std::runtime_error("it is away");
  support::run_or_throw(fmt::format(
      "psql -XAtq -d '{}' -c \"SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE "
      "application_name LIKE 'generate-project%' AND random() < 0.5\"",
      stack_.database_url()));
}

/// Faults of the way to the LLM only: what it says stays sound, so that it is known what must not be asked
/// again.
void Havoc::fail_llm() {
  static const std::vector<std::string> kKinds = {"rate_limit", "server_error", "overloaded", "html_502",
                                                  "cut",        "stream_error", "close_early"};
  const std::string& kind = kKinds[std::uniform_int_distribution<std::size_t>(0, kKinds.size() - 1)(random_)];
  stack_.arm({{"fault", kind}, {"times", 1}, {"retry_after_s", 0.2}});
}

void Havoc::damage_spool() {
  const auto page = std::uniform_int_distribution<int>(1, 40)(random_);
  support::run_or_throw(fmt::format("dd if=/dev/urandom of={}/spool.db bs=4096 seek={} count=1 conv=notrunc",
                                    disk_.empty() ? stack_.folder() + "/state/spool" : disk_, page));
}

void Havoc::fill_disk() {
  support::run(fmt::format("dd if=/dev/zero of={}/somebody-elses bs=64k count=4096", disk_));
  later(between(500, 5000), [this] { support::run(fmt::format("rm -f {}/somebody-elses", disk_)); });
}

}  // namespace fault
