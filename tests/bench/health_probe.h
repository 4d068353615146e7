#pragma once

#include <chrono>
#include <cstdint>
#include <stop_token>
#include <string>
#include <thread>

#include "tests/bench/results.h"
#include "tests/bench/samples.h"

namespace bench {

/// GET `target` a hundred times a second, each on a new connection as a load balancer makes it, in a thread
/// of its own that goes before the load generators where the system lets it: it measures the service, not its
/// own wait for a core.
class HealthProbe {
 public:
  HealthProbe(int port, std::string target);

  /// Ends it. Afterwards the accessors may be used.
  void stop();

  const Samples& times() const noexcept { return times_; }
  std::uint64_t wrong() const noexcept { return wrong_; }  ///< answers that were not 200, or none
  const std::string& first_wrong() const noexcept { return first_wrong_; }

 private:
  void run(const std::stop_token& stop);
  void note_wrong(const std::string& what);

  int port_;
  std::string target_;
  Samples times_;            ///< the thread's own until it has ended
  std::uint64_t wrong_ = 0;  ///< the same
  std::string first_wrong_;  ///< the same
  std::jthread thread_;      ///< last: it uses everything above
};

/// /health while nothing else happens, and while a scenario's load is on: made before that begins. Beside it
/// a file of another nginx, which has nothing else to do: what the machine alone makes of such a request
/// under that load.
class HealthBeside {
 public:
  /// Measures the idle service for 5 s.
  HealthBeside(int port, int yardstick_port);

  /// Measures while `load` runs. Several calls add up.
  template <class Load>
  auto during(const Load& load) {
    const Meanwhile meanwhile(*this);
    return load();
  }

  void report_to(Report& report) const;

 private:
  struct Meanwhile {
    explicit Meanwhile(HealthBeside& all)
        : beside(all), health(all.port_, "/health"), file(all.yardstick_port_, "/static/up") {}
    ~Meanwhile() { beside.take(health, file); }
    Meanwhile(const Meanwhile&) = delete;
    Meanwhile& operator=(const Meanwhile&) = delete;
    HealthBeside& beside;
    HealthProbe health;
    HealthProbe file;
  };
  void take(HealthProbe& health, HealthProbe& file);

  int port_;
  int yardstick_port_;
  Samples idle_;
  Samples loaded_;
  Samples file_;
  std::uint64_t wrong_ = 0;
  std::string first_wrong_;
};

}  // namespace bench
