#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "core/base/secret.h"
#include "core/project/step.h"

namespace support {

/// LogRuns made for a test or a measurement, straight in the run log: running, held by the test for a day, so
/// that it may write them and no worker takes them. Their ids are a prefix of their own and a number.
class LogRuns {
 public:
  /// Inserts `count` runs. With `document_bytes` their projects exist too, with such a document; without, the
  /// calling app has none of them and only events are written.
  LogRuns(const gp::Secret& database_url, std::size_t count, std::size_t document_bytes = 0);

  std::size_t size() const noexcept { return count_; }
  const std::string& prefix() const noexcept { return prefix_; }
  static const std::string& token();

  std::string id(std::size_t number) const;
  std::string project(std::size_t number) const { return "made_" + id(number); }
  std::string target(std::size_t number) const { return "/events/stream?run_id=" + id(number); }

  /// Event `event_id` of a run, as a worker would write it; its data has about `data_bytes`.
  gp::project::Step step(std::size_t number, std::int64_t event_id, std::size_t data_bytes = 300) const;

  /// The same as the run's last event, which ends it.
  gp::project::Step last_step(std::size_t number, std::int64_t event_id) const;

 private:
  std::string prefix_;
  std::size_t count_;
  std::string document_;
};

/// A JSON object of about `bytes`, in words as a project has them.
std::string document_of(std::size_t bytes);

/// The members of a section_completed event; about `bytes` with what every event has.
gp::Json section_data(const std::string& run_id, const std::string& project_id, std::int64_t index,
                      std::size_t bytes);

}  // namespace support
