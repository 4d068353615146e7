#include "tests/bench/writer_crew.h"

#include <algorithm>
#include <exception>
#include <iostream>

#include "core/runlog/event_writer.h"

namespace bench {
namespace {

using gp::runlog::WriteOutcome;

/// The share of one writer: every n-th run, one event after the other, in the order in which they fall due.
class Share {
 public:
  Share(std::size_t writer, const CrewPlan& plan, std::size_t runs)
      : writer_(writer), plan_(plan), runs_(runs), own_((runs - writer + plan.writers - 1) / plan.writers) {}

  bool is_empty() const { return next_ == own_ * plan_.events_each; }
  std::size_t run() const { return writer_ + next_ % own_ * plan_.writers; }
  std::int64_t event_id() const { return static_cast<std::int64_t>(next_ / own_) + 1; }
  std::chrono::nanoseconds due() const {
    const auto round = plan_.period * static_cast<std::int64_t>(next_ / own_);
    return round + plan_.period * static_cast<std::int64_t>(run()) / static_cast<std::int64_t>(runs_);
  }
  void advance() { ++next_; }

 private:
  std::size_t writer_;
  const CrewPlan& plan_;
  std::size_t runs_;
  std::size_t own_;
  std::size_t next_ = 0;
};

constexpr std::chrono::seconds kWarmUp{1};

/// Both connect at their first use: that is not what is measured.
void warm_up(gp::runlog::EventWriter& log, gp::runlog::Doorbell& doorbell) {
  log.write({});
  const gp::RunId nobody_follows(gp::make_uuid());
  doorbell.ring(std::span(&nobody_follows, 1));
}

struct Batch {
  std::vector<gp::project::Step> steps;
  std::vector<std::size_t> runs;
  std::vector<gp::RunId> names;
};

Batch take_due(Share& share, const support::LogRuns& runs, const CrewPlan& plan, gp::SteadyTime begin) {
  Batch batch;
  std::this_thread::sleep_until(begin + share.due());
  const auto now = gp::steady_now() - begin;
  while (!share.is_empty() && share.due() <= now && batch.steps.size() < plan.most_in_one_commit) {
    batch.steps.push_back(runs.step(share.run(), share.event_id()));
    batch.runs.push_back(share.run());
    batch.names.push_back(batch.steps.back().run_id);
    share.advance();
  }
  return batch;
}

}  // namespace

WriterCrew::WriterCrew(const gp::Secret& database_url, const support::LogRuns& runs, const CrewPlan& plan,
                       LagBook& book)
    : url_(database_url),
      runs_(runs),
      plan_(plan),
      book_(book),
      doorbell_(database_url),
      begin_(gp::steady_now() + kWarmUp),
      ends_(plan.writers, begin_) {
  for (std::size_t i = 0; i < plan_.writers; ++i) threads_.emplace_back([this, i] { write_share(i); });
}

void WriterCrew::join() {
  for (std::jthread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::chrono::duration<double> WriterCrew::took() const { return *std::ranges::max_element(ends_) - begin_; }

void WriterCrew::write_share(std::size_t writer) {
  try {
    gp::runlog::EventWriter log(url_);
    warm_up(log, doorbell_);
    for (Share share(writer, plan_, runs_.size()); !share.is_empty();) {
      const Batch batch = take_due(share, runs_, plan_, begin_);
      const auto begun = gp::steady_now();
      const auto outcomes = log.write(batch.steps);
      const auto now = gp::steady_now();
      for (std::size_t i = 0; i < batch.steps.size(); ++i) {
        if (outcomes[i] != WriteOutcome::kWritten) ++wrong_;
        book_.committed(batch.runs[i], batch.steps[i].event.id, now);
      }
      doorbell_.ring(batch.names);
      committed_ += batch.steps.size();
      ++commits_;
      ends_[writer] = now;
      std::this_thread::sleep_for(gp::runlog::rest_after(batch.steps.size(), now - begun));  // as the shipper
    }
  } catch (const std::exception& error) {
    std::cerr << "a writer ended: " << error.what() << '\n';
    ++wrong_;
  }
  ++done_;
}

}  // namespace bench
