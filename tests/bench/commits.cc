#include "tests/bench/commits.h"

#include <atomic>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>

#include "bench_sql.h"
#include "core/base/clock.h"
#include "core/base/json.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/doorbell.h"
#include "core/runlog/event_writer.h"
#include "tests/bench/interruption.h"
#include "tests/bench/pgbench.h"
#include "tests/bench/samples.h"
#include "tests/support/shell.h"

namespace bench {
namespace {

using std::chrono::milliseconds;

/// Commits one step; throws where it is refused.
using Commit = std::function<void(const gp::project::Step&)>;

Commit plain_commit(const gp::Secret& url) {
  auto writer = std::make_shared<gp::runlog::EventWriter>(url);  // shared: std::function wants to be copied
  return [writer](const gp::project::Step& step) {
    if (writer->write(std::span(&step, 1)).front() != gp::runlog::WriteOutcome::kWritten)
      throw std::runtime_error("a step was refused");
  };
}

/// The workers of a host share one doorbell.
Commit commit_and_ring(const gp::Secret& url, gp::runlog::Doorbell& doorbell) {
  return [commit = plain_commit(url), &doorbell](const gp::project::Step& step) {
    commit(step);
    doorbell.ring(std::span(&step.run_id, 1));
  };
}

Commit commit_with_notify(const gp::Secret& url) {
  auto session = std::make_shared<gp::pg::Session>(url, "bench");
  return [session](const gp::project::Step& step) {
    const gp::Json& data = step.event.data;
    const auto rows = session->run(
        gp::bench_sql::kWriteStepAndNotify,
        {step.run_id.str(), step.token.str(), step.event.id, std::string(name_of(step.event.type)),
         gp::dump_json(data), data.at("project_id").get<std::string>(), step.document});
    if (rows.empty()) throw std::runtime_error("a step was refused");
  };
}

Commit make_commit(const gp::Secret& url, Ring ring, gp::runlog::Doorbell& doorbell) {
  switch (ring) {
    case Ring::kNone:
      return plain_commit(url);
    case Ring::kDoorbell:
      return commit_and_ring(url, doorbell);
    case Ring::kInside:
      break;
  }
  return commit_with_notify(url);
}

struct Count {
  std::atomic<std::uint64_t> commits = 0;
  std::atomic<bool> is_over = false;
  std::atomic<bool> has_failed = false;
};

/// One writer: its share of the runs, one event after the other.
void write_share(const Commit& commit, const support::LogRuns& runs, std::size_t writer, Count& count) {
  try {
    for (std::size_t n = 0; !count.is_over; ++n) {
      commit(runs.step(writer * kRunsEach + n % kRunsEach, static_cast<std::int64_t>(n / kRunsEach) + 1));
      ++count.commits;
    }
  } catch (const std::exception&) {
    count.has_failed = true;
  }
}

void replace(std::string& text, const std::string& name, const std::string& value) {
  text.replace(text.find(name), name.size(), value);
}

std::string pgbench_script(const support::LogRuns& runs) {
  std::string script = support::read_file(std::string(GP_SOURCE_DIR) + "/tests/bench/sql/write_step.pgbench");
  replace(script, "@PREFIX@", runs.prefix());
  replace(script, "@TOKEN@", support::LogRuns::token());
  replace(script, "@DATA@", gp::dump_json(runs.step(0, 1).event.data));
  replace(script, "@DOCUMENT@", support::document_of(kDocumentBytes));
  return script;
}

/// Fresh runs, and a server in the same state before each measurement: after a checkpoint the first change of
/// every page is expensive, so all of them begin with that.
support::LogRuns begin_measuring(const gp::Secret& url, std::size_t writers) {
  throw_if_interrupted();
  support::LogRuns runs(url, writers * kRunsEach, kDocumentBytes);
  gp::pg::Session(url, "bench").run_script("CHECKPOINT");
  return runs;
}

}  // namespace

double commits_per_second(const gp::Secret& database_url, std::size_t writers, Ring ring, milliseconds time) {
  const support::LogRuns runs = begin_measuring(database_url, writers);
  gp::runlog::Doorbell doorbell(database_url);
  Count count;
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < writers; ++i)
    threads.emplace_back(
        [&, i, commit = make_commit(database_url, ring, doorbell)] { write_share(commit, runs, i, count); });
  std::this_thread::sleep_for(milliseconds(500));  // sessions are made, statements prepared
  const std::uint64_t before = count.commits;
  const auto begin = gp::steady_now();
  std::this_thread::sleep_for(time);
  const std::uint64_t commits = count.commits - before;
  const auto took = gp::steady_now() - begin;
  count.is_over = true;
  threads.clear();
  if (count.has_failed) throw std::runtime_error("a writer failed");
  return per_second(commits, took);
}

double pgbench_commits_per_second(const gp::Secret& database_url, std::size_t clients, milliseconds time) {
  const support::LogRuns runs = begin_measuring(database_url, clients);
  return Pgbench{pgbench_script(runs), {{"n", "-1"}}, clients}.run(database_url, time);
}

Listeners::Listeners(const gp::Secret& database_url, std::size_t count, std::string_view channel) {
  for (std::size_t i = 0; i < count; ++i) {
    threads_.emplace_back([database_url, channel](const std::stop_token& stop) {
      gp::pg::Session session(database_url, "bench listener");
      session.listen(channel);
      while (!stop.stop_requested()) session.wait(milliseconds(100), -1);
    });
  }
}

}  // namespace bench
