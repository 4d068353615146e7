#include "tests/bench/health_probe.h"

#include <algorithm>
#include <exception>
#include <utility>

#include <sys/resource.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "tests/bench/http_load.h"

namespace bench {
namespace {

constexpr std::chrono::milliseconds kPeriod{10};
constexpr std::chrono::seconds kIdleTime{5};
constexpr int kPriority = -10;

}  // namespace

HealthProbe::HealthProbe(int port, std::string target)
    : port_(port), target_(std::move(target)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

void HealthProbe::stop() {
  thread_.request_stop();
  if (thread_.joinable()) thread_.join();
}

void HealthProbe::run(const std::stop_token& stop) {
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::gettid()),
                kPriority);  // without the right to it: as the others
  for (auto due = gp::steady_now(); !stop.stop_requested(); due += kPeriod) {
    std::this_thread::sleep_until(due);
    const auto begin = gp::steady_now();
    try {
      if (const int status = get_status(port_, target_); status != 200) note_wrong(std::to_string(status));
    } catch (const std::exception& error) {
      note_wrong(error.what());
    }
    times_.add(gp::steady_now() - begin);
    due = std::max(due, gp::steady_now() - kPeriod);  // what it missed is not made up for
  }
}

void HealthProbe::note_wrong(const std::string& what) {
  if (wrong_++ == 0) first_wrong_ = what;
}

HealthBeside::HealthBeside(int port, int yardstick_port) : port_(port), yardstick_port_(yardstick_port) {
  during([] { std::this_thread::sleep_for(kIdleTime); });
  idle_ = std::exchange(loaded_, {});
  file_ = {};
}

void HealthBeside::take(HealthProbe& health, HealthProbe& file) {
  health.stop();
  file.stop();
  loaded_.add(health.times());
  file_.add(file.times());
  if (wrong_ == 0) first_wrong_ = health.first_wrong();
  wrong_ += health.wrong();
}

void HealthBeside::report_to(Report& report) const {
  report.times_beside("/health meanwhile", loaded_, idle_, "idle");
  report.times_beside("/health meanwhile", loaded_, file_, "a file of an idle nginx");
  report.fault_unless_zero(wrong_, "answers of /health were not 200; the first: " + first_wrong_);
}

}  // namespace bench
