#pragma once

#include <string>

#include "core/base/unique_fd.h"

namespace bench {

/// Posts messages to an nchan channel on one kept connection and does not wait for the answers, as our own
/// publisher does not wait for deliveries. One thread.
class NchanPublisher {
 public:
  NchanPublisher(int port, std::string channel);

  /// Throws std::runtime_error where the connection is gone, or an answer said that a message was refused.
  void publish(const std::string& message);

 private:
  void read_answers();

  gp::UniqueFd fd_;
  std::string channel_;
};

}  // namespace bench
