#include "core/runlog/doorbell.h"

#include <array>
#include <csignal>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/unique_fd.h"
#include "core/runlog/channels.h"
#include "tests/integration/database.h"

using gp::RunId;
using gp::runlog::Doorbell;
using gp::runlog::DoorbellLine;
using integration::Migrated;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

using Names = std::set<std::string>;

std::vector<RunId> some_runs(int count) {
  std::vector<RunId> runs;
  for (int i = 0; i < count; ++i) runs.emplace_back(gp::make_uuid());
  return runs;
}

Names names_of(const std::vector<RunId>& runs) {
  Names names;
  for (const RunId& run_id : runs) names.insert(run_id.str());
  return names;
}

/// A listener that keeps what it has heard.
struct Ear {
  gp::pg::Session session;
  std::vector<std::string> payloads;
  Names names;

  explicit Ear(const gp::Secret& url) : session(url, "ear") { session.listen(gp::runlog::kEventsChannel); }

  /// Listens until every one of `expected` was named; false where that does not happen.
  bool hears(const Names& expected) {
    const auto is_complete = [&] { return std::ranges::includes(names, expected); };
    for (const auto deadline = gp::steady_now() + seconds(30);
         !is_complete() && gp::steady_now() < deadline;) {
      for (const auto& ring : session.wait(milliseconds(100), -1)) take(ring.payload);
    }
    return is_complete();
  }

  void take(const std::string& payload) {
    payloads.push_back(payload);
    for (std::size_t at = 0; at <= payload.size();) {
      const std::size_t comma = std::min(payload.find(',', at), payload.size());
      names.insert(payload.substr(at, comma - at));
      at = comma + 1;
    }
  }
};

struct Fixture : Migrated {
  /// The process of the doorbell's session; 0 while there is none.
  int backend() const {
    return std::stoi(
        value("SELECT coalesce(max(pid), 0) FROM pg_stat_activity WHERE datname = "
              "current_database() AND application_name = 'generate-project doorbell'"));
  }
  int wait_for_backend() const {
    int pid = 0;
    for (const auto deadline = gp::steady_now() + seconds(30); pid == 0 && gp::steady_now() < deadline;)
      pid = backend();
    BOOST_REQUIRE(pid != 0);
    return pid;
  }
  void admin(const std::string& sql) const {
    gp::pg::Session(gp::Secret(integration::server_url()), "test").run_script(sql);
  }
};

/// A process that does not answer, until the end of the scope.
struct Paused {
  int pid;
  explicit Paused(int process) : pid(process) { ::kill(pid, SIGSTOP); }
  ~Paused() { ::kill(pid, SIGCONT); }
};

/// The pipe of a pool, as its master makes it.
struct Line {
  gp::UniqueFd out;
  gp::UniqueFd in;
  Line() {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
  }
};

/// What a process of its own does; returns its exit status.
int ring_often(int line_in, const RunId& run_id, int count) {
  DoorbellLine line(line_in);
  for (int i = 0; i < count; ++i) {
    if (line.ring(std::span(&run_id, 1)) != 1) return 1;
    std::this_thread::sleep_for(std::chrono::microseconds(100));
  }
  return 0;
}

gp::SteadyTime::duration time_of(const auto& work) {
  const auto begun = gp::steady_now();
  work();
  return gp::steady_now() - begun;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(doorbell, Fixture)

BOOST_AUTO_TEST_CASE(every_run_is_named_and_no_payload_is_too_long) {
  Ear ear(url());
  Doorbell bell(url());
  const auto runs = some_runs(1000);
  bell.ring(runs);
  BOOST_TEST(ear.hears(names_of(runs)));
  BOOST_TEST(ear.names.size() == runs.size());
  for (const std::string& payload : ear.payloads) BOOST_TEST(payload.size() < 8000u);
}

BOOST_AUTO_TEST_CASE(a_burst_of_rings_is_few_notifies_and_no_name_is_lost) {
  constexpr int kThreads = 4;
  constexpr int kRings = 5000;
  Ear ear(url());
  Doorbell bell(url());
  wait_for_backend();
  const auto runs = some_runs(100);
  const auto spent = time_of([&] {
    std::vector<std::jthread> ringers;
    for (int thread = 0; thread < kThreads; ++thread) {
      ringers.emplace_back([&] {
        for (std::size_t i = 0; i < kRings; ++i) bell.ring(std::span(&runs[i % runs.size()], 1));
      });
    }
  });
  BOOST_TEST(ear.hears(names_of(runs)));
  const auto most = static_cast<std::size_t>(spent / std::chrono::microseconds(500)) + 3;
  BOOST_TEST(ear.payloads.size() <= most);
  BOOST_TEST(ear.payloads.size() < kThreads * kRings / 4u);
}

BOOST_AUTO_TEST_CASE(a_ring_returns_at_once_while_the_server_does_not_answer_and_arrives_when_it_does) {
  Ear ear(url());
  Doorbell bell(url());
  const auto runs = some_runs(300);
  {
    const Paused paused(wait_for_backend());
    for (const RunId& run_id : runs)
      BOOST_TEST((time_of([&] { bell.ring(std::span(&run_id, 1)); }) < seconds(1)));
  }
  BOOST_TEST(ear.hears(names_of(runs)));
}

BOOST_AUTO_TEST_CASE(what_is_rung_while_the_database_is_away_arrives_when_it_is_back) {
  const std::string name = value("current_database()");
  Doorbell bell(url());
  const int pid = wait_for_backend();
  admin("ALTER DATABASE " + name + " ALLOW_CONNECTIONS false");
  admin("SELECT pg_terminate_backend(" + std::to_string(pid) + ")");
  const auto runs = some_runs(50);
  bell.ring(runs);
  admin("ALTER DATABASE " + name + " ALLOW_CONNECTIONS true");
  Ear ear(url());
  const auto later = some_runs(1);
  bell.ring(later);
  BOOST_TEST(ear.hears(names_of(later)));
  BOOST_TEST(backend() != pid);
}

BOOST_AUTO_TEST_CASE(a_name_that_could_not_be_sent_is_kept) {
  Ear ear(url());
  Doorbell bell(url());
  for (int round = 0; round < 3; ++round) {
    admin("SELECT pg_terminate_backend(" + std::to_string(wait_for_backend()) + ")");
    const auto runs = some_runs(20);
    bell.ring(runs);
    BOOST_TEST(ear.hears(names_of(runs)));
  }
}

BOOST_AUTO_TEST_CASE(what_was_rung_last_is_sent_before_it_ends) {
  Ear ear(url());
  const auto runs = some_runs(600);
  {
    Doorbell bell(url());
    wait_for_backend();
    bell.ring(runs);
  }
  BOOST_TEST(ear.hears(names_of(runs)));
}

BOOST_AUTO_TEST_CASE(it_ends_in_time_though_the_server_does_not_answer) {
  auto bell = std::make_unique<Doorbell>(url());
  const Paused paused(wait_for_backend());
  bell->ring(some_runs(1));
  BOOST_TEST((time_of([&] { bell.reset(); }) < seconds(5)));
}

BOOST_AUTO_TEST_CASE(without_a_server_it_rings_and_ends_all_the_same) {
  Doorbell bell(gp::Secret("postgresql:///x?host=/nonexistent"));
  BOOST_TEST((time_of([&] { bell.ring(some_runs(20000)); }) < seconds(5)));
}

BOOST_AUTO_TEST_CASE(other_processes_ring_it_through_a_line_and_their_bursts_become_few_notifies) {
  constexpr int kProcesses = 4;
  constexpr int kRings = 400;
  Ear ear(url());
  const Line line;
  const auto runs = some_runs(kProcesses);
  std::vector<pid_t> children;
  for (const RunId& run_id : runs) {
    children.push_back(::fork());
    if (children.back() == 0) ::_exit(ring_often(line.in.get(), run_id, kRings));
  }
  const auto own = some_runs(1);
  Doorbell bell(url(), line.out.get());
  bell.ring(own);
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    BOOST_TEST(status == 0);
  }
  Names expected = names_of(runs);
  expected.merge(names_of(own));
  BOOST_TEST(ear.hears(expected));
  BOOST_TEST(ear.names == expected, boost::test_tools::per_element());
  BOOST_TEST(ear.payloads.size() < kProcesses * kRings / 4u);
}

BOOST_AUTO_TEST_CASE(a_line_that_nobody_reads_says_what_it_did_not_take_and_keeps_the_rest) {
  const Line line;
  DoorbellLine rope(line.in.get());
  const auto runs = some_runs(3000);
  const std::size_t taken = rope.ring(runs);
  BOOST_TEST(taken > 1000u);
  BOOST_TEST(taken < runs.size());
  BOOST_TEST(rope.ring(runs) == 0u);
  Ear ear(url());
  const Doorbell bell(url(), line.out.get());
  BOOST_TEST(ear.hears(names_of({runs.begin(), runs.begin() + static_cast<std::ptrdiff_t>(taken)})));
  BOOST_TEST(ear.names.size() == taken);
}

BOOST_AUTO_TEST_SUITE_END()
