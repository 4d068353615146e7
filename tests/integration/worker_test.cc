// A whole worker, with a provider that never answers, beside the real database.

#include "core/generation/worker.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include <arpa/inet.h>
#include <boost/test/unit_test.hpp>
#include <dlfcn.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/base/unique_fd.h"
#include "core/runlog/run_intake.h"
#include "tests/integration/database.h"
#include "tests/support/shell.h"

using gp::generation::WorkerSlot;
using integration::LockedRow;
using integration::request;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

std::atomic<bool> has_threads = true;
std::atomic<int> refused_threads = 0;

}  // namespace

/// In front of the system's: at its limit of threads while `has_threads` is false.
extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) {
  if (!has_threads) {
    ++refused_threads;
    return EAGAIN;
  }
  static const auto real = reinterpret_cast<decltype(&pthread_create)>(dlsym(RTLD_NEXT, "pthread_create"));
  return real(thread, attributes, run, argument);
}

namespace {

/// Takes connections and says nothing.
class SilentProvider {
 public:
  SilentProvider() : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof(address);
    auto* generic = reinterpret_cast<sockaddr*>(&address);  // NOLINT: the API's way
    BOOST_REQUIRE(::bind(socket_.get(), generic, length) == 0);
    BOOST_REQUIRE(::listen(socket_.get(), 16) == 0);
    BOOST_REQUIRE(::getsockname(socket_.get(), generic, &length) == 0);
    url_ = "http://127.0.0.1:" + std::to_string(ntohs(address.sin_port));
  }
  const std::string& url() const noexcept { return url_; }

 private:
  gp::UniqueFd socket_;
  std::string url_;
};

struct Fixture : integration::Migrated {
  support::TempFolder folder;
  SilentProvider provider;

  gp::Config config() const {
    const std::map<std::string, std::string, std::less<>> values = {
        {"DATABASE_URL", url().reveal()},
        {"DATABASE_LISTEN_URL", url().reveal()},
        {"OPENAI_API_KEY", "none"},
        {"OPENAI_BASE_URL", provider.url()},
        {"SPOOL_PATH", folder.path() + "/spool/spool.db"},
        {"CSV_LOG_DIR", folder.path() + "/logs"},
        {"LEASE_S", "2"},
        {"LEASE_BEAT_S", "1"},
        {"RUN_TAKEOVER_WAIT_S", "0"},
        {"WORKER_DRAIN_S", "1"},
    };
    const auto find = [&](std::string_view name) -> std::optional<std::string> {
      const auto found = values.find(name);
      return found == values.end() ? std::nullopt : std::optional(found->second);
    };
    return gp::load_config(find, {});
  }

  bool becomes(const std::string& expression, const std::string& wanted) const {
    const auto deadline = gp::steady_now() + seconds(30);
    while (value(expression) != wanted) {
      if (gp::steady_now() >= deadline) return false;
      std::this_thread::sleep_for(milliseconds(20));
    }
    return true;
  }
};

/// A worker at work until the end of its scope.
class AtWork {
 public:
  explicit AtWork(gp::Config config)
      : config_(std::move(config)), stop_(::eventfd(0, EFD_CLOEXEC)), wake_(::eventfd(0, EFD_NONBLOCK)) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    out_.reset(ends[0]);
    in_.reset(ends[1]);
    wake_fds_ = {wake_.get()};
    slot_ = {.slot = 0,
             .stop_fd = stop_.get(),
             .wake_fds = wake_fds_,
             .line_in = in_.get(),
             .line_out = out_.get()};
    thread_ = std::jthread([this] { gp::generation::run_worker(config_, files_, slot_); });
  }
  ~AtWork() { stop(); }
  AtWork(const AtWork&) = delete;
  AtWork& operator=(const AtWork&) = delete;

  /// It drains from now on.
  void stop() const { ::eventfd_write(stop_.get(), 1); }

 private:
  gp::Config config_;
  gp::generation::WorkerFiles files_ = gp::generation::WorkerFiles::load(config_);
  gp::UniqueFd stop_, wake_, out_, in_;
  std::array<int, 1> wake_fds_{};
  WorkerSlot slot_;
  std::jthread thread_;
};

std::string next_id_of(const std::string& project) {
  return "SELECT next_event_id FROM generation_runs WHERE project_id = '" + project + "'";
}

/// With how often it was taken: "running 1".
std::string state_of(const std::string& project) {
  return "SELECT state || ' ' || takes FROM generation_runs WHERE project_id = '" + project + "'";
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(worker, Fixture)

BOOST_AUTO_TEST_CASE(a_worker_whose_beat_waited_for_longer_than_a_lease_goes_on_with_its_runs) {
  gp::runlog::RunIntake(url()).start(request("p"));
  const AtWork worker(config());
  BOOST_REQUIRE(becomes("SELECT next_event_id > 1 FROM generation_runs", "true"));
  const std::string token = value("SELECT lease_token FROM generation_runs");
  {
    const LockedRow lock(url(), "SELECT 1 FROM generation_runs");
    BOOST_TEST(becomes("SELECT lease_expires_at < now() - interval '1 second' FROM generation_runs", "true"));
    lock.release();
  }
  BOOST_TEST(becomes("SELECT lease_expires_at > now() FROM generation_runs", "true"));
  std::this_thread::sleep_for(seconds(3));  // time for a take-over
  BOOST_TEST(value("SELECT lease_token FROM generation_runs") == token);
  BOOST_TEST(value("SELECT takes FROM generation_runs") == "1");
}

BOOST_AUTO_TEST_CASE(a_locked_project_keeps_no_worker_from_other_runs) {
  script("INSERT INTO projects (id, spec_json, updated_at) VALUES ('locked', '{}', now())");
  const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'locked'");
  gp::runlog::RunIntake(url()).start(request("locked"));
  gp::runlog::RunIntake(url()).start(request("good"));
  const AtWork worker(config());
  BOOST_TEST(becomes(next_id_of("good"), "2"));
  std::this_thread::sleep_for(seconds(3));  // longer than a lease
  BOOST_TEST(value("SELECT sum(takes) FROM generation_runs") == "2");
  BOOST_TEST(value(next_id_of("locked")) == "1");
  lock.release();
  BOOST_TEST(becomes(next_id_of("locked"), "2"));
  BOOST_TEST(value("SELECT spec_json->>'status' FROM projects WHERE id = 'locked'") == "planning");
}

BOOST_AUTO_TEST_CASE(a_locked_project_keeps_no_other_run_from_being_given_back_at_the_stop) {
  script("INSERT INTO projects (id, spec_json, updated_at) VALUES ('locked', '{}', now())");
  const LockedRow lock(url(), "SELECT 1 FROM projects WHERE id = 'locked'");
  {
    const AtWork worker(config());
    gp::runlog::RunIntake(url()).start(request("locked"));
    BOOST_REQUIRE(becomes(state_of("locked"), "running 1"));
    gp::runlog::RunIntake(url()).start(request("good"));
    BOOST_REQUIRE(becomes(next_id_of("good"), "2"));
    worker.stop();
    BOOST_TEST(becomes(state_of("good"), "queued 0"));
    BOOST_TEST(value(state_of("locked")) == "running 1");  // its step waits, under its lease
    lock.release();
  }
  BOOST_TEST(value(state_of("locked")) == "queued 0");
  BOOST_TEST(value(next_id_of("locked")) == "2");
}

BOOST_AUTO_TEST_CASE(a_run_that_there_is_no_thread_for_waits_in_the_queue_and_the_others_go_on) {
  const AtWork worker(config());
  gp::runlog::RunIntake(url()).start(request("first"));
  BOOST_REQUIRE(becomes(next_id_of("first"), "2"));
  has_threads = false;
  gp::runlog::RunIntake(url()).start(request("second"));
  const auto deadline = gp::steady_now() + seconds(30);
  while (refused_threads == 0 && gp::steady_now() < deadline) std::this_thread::sleep_for(milliseconds(20));
  BOOST_TEST(refused_threads > 0);
  BOOST_TEST(becomes(state_of("second"), "queued 0"));
  std::this_thread::sleep_for(seconds(3));  // longer than a lease
  BOOST_TEST(refused_threads < 5);
  has_threads = true;
  BOOST_TEST(becomes(state_of("second"), "running 1"));
  BOOST_TEST(value(state_of("first")) == "running 1");
}

BOOST_AUTO_TEST_SUITE_END()
