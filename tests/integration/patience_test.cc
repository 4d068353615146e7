// A server process that stands still, its connection whole: noticed by its answers alone.

#include <array>
#include <chrono>
#include <csignal>
#include <span>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/pg/session.h"
#include "core/runlog/channels.h"
#include "core/runlog/doorbell.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/log_probe.h"
#include "core/runlog/run_intake.h"
#include "core/runlog/run_queue.h"
#include "core/runlog/schema.h"
#include "tests/integration/database.h"

using gp::Error;
using gp::ErrorKind;
using gp::pg::Session;
using integration::Migrated;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

const gp::pg::Statement kSleep{"sleep", "SELECT pg_sleep(20)"};
const gp::pg::Statement kOne{"one", "SELECT 1 AS one"};

/// Which kind of Error `work` throws, well before the server answers.
template <class Work>
ErrorKind kind_of_failure(const Work& work) {
  const auto begun = gp::steady_now();
  try {
    work();
  } catch (const Error& error) {
    BOOST_TEST((gp::steady_now() - begun < seconds(10)));
    return error.kind();
  }
  BOOST_FAIL("it was answered");
  return ErrorKind::kBug;
}

/// Stands still for as long as this lives.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { ::kill(pid_, SIGSTOP); }
  ~Stopped() { ::kill(pid_, SIGCONT); }
  Stopped(const Stopped&) = delete;
  Stopped& operator=(const Stopped&) = delete;

 private:
  pid_t pid_;
};

struct Fixture : Migrated {
  /// The server process of the one session of that name.
  pid_t process_of(const std::string& application_name) const {
    return std::stoi(
        value("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = '" +
              application_name + "'"));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(patience, Fixture)

BOOST_AUTO_TEST_CASE(an_answer_that_does_not_come_is_a_lost_connection_however_it_was_asked_for) {
  const auto impatient = [&](const auto& work) {
    Session session(url(), "test");
    session.give_up_after(milliseconds(300));
    const ErrorKind kind = kind_of_failure([&] { work(session); });
    BOOST_TEST(session.is_broken());
    return kind;
  };
  BOOST_TEST((impatient([](Session& session) { session.run(kSleep); }) == ErrorKind::kUnavailable));
  BOOST_TEST((impatient([](Session& session) { session.run_script("SELECT pg_sleep(20)"); }) ==
              ErrorKind::kUnavailable));
  const std::array<gp::pg::Call, 2> calls = {{{kOne, {}}, {kSleep, {}}}};
  BOOST_TEST((impatient([&](Session& session) { session.run_together(calls); }) == ErrorKind::kInDoubt));
}

BOOST_AUTO_TEST_CASE(who_is_answered_in_time_does_not_notice) {
  Session session(url(), "test");
  session.give_up_after(seconds(60));
  session.run_script("SELECT 1; SELECT 2");
  BOOST_TEST(session.run(kOne).number(0, "one") == 1);
  const std::array<gp::pg::Call, 2> calls = {{{kOne, {}}, {kOne, {}}}};
  BOOST_TEST(session.run_together(calls).size() == 2u);
  BOOST_CHECK_EXCEPTION(session.run_script("SELECT 1; SELECT 1 / 0; SELECT 2"), Error,
                        [](const Error& error) { return error.code() == "22012"; });
  BOOST_TEST(session.run(kOne).number(0, "one") == 1);
}

BOOST_AUTO_TEST_CASE(a_reader_gives_a_server_process_up_that_stands_still_and_goes_on_with_another_one) {
  const auto run_id = gp::runlog::RunIntake(url()).start(integration::request("p")).run_id;
  gp::runlog::EventReader reader(url());
  const gp::runlog::Cursor cursor{run_id, 0};
  const auto read = [&] { return reader.read(std::span(&cursor, 1), 100); };
  read();
  const Stopped stopped(process_of("generate-project events"));
  const auto begun = gp::steady_now();
  BOOST_CHECK_EXCEPTION(read(), Error,
                        [](const Error& error) { return error.kind() == ErrorKind::kUnavailable; });
  BOOST_TEST((gp::steady_now() - begun < 2 * gp::runlog::kReadPatience));
  BOOST_TEST(read().size() == 1u);
}

BOOST_AUTO_TEST_CASE(whether_the_service_is_ready_is_asked_of_another_server_process_then) {
  gp::runlog::LogProbe probe(url());
  BOOST_TEST(probe.look().is_reachable);
  const Stopped stopped(process_of("generate-project health"));
  const auto begun = gp::steady_now();
  BOOST_TEST(probe.look().is_reachable);
  BOOST_TEST((gp::steady_now() - begun < seconds(10)));
}

BOOST_AUTO_TEST_CASE(a_doorbell_rings_at_another_server_process_then) {
  const gp::RunId first(gp::make_uuid());
  const gp::RunId second(gp::make_uuid());
  Session ear(url(), "ear");
  ear.listen(gp::runlog::kEventsChannel);
  gp::runlog::Doorbell doorbell(url());
  const auto is_heard = [&](const gp::RunId& run_id) {
    doorbell.ring(std::span(&run_id, 1));
    const auto rings = ear.wait(2 * gp::runlog::kReadPatience, -1);
    return !rings.empty() && rings.front().payload == run_id.str();
  };
  BOOST_TEST(is_heard(first));
  const Stopped stopped(process_of("generate-project doorbell"));
  BOOST_TEST(is_heard(second));
}

BOOST_AUTO_TEST_CASE(a_worker_that_only_listens_notices_it) {
  gp::runlog::RunQueue queue(url(), url(), {"host/0", seconds(30)});
  queue.wait(milliseconds(1), -1);
  const Stopped stopped(process_of("generate-project worker listen"));
  const auto listen_until_it_fails = [&] {
    for (const auto deadline = gp::steady_now() + seconds(30); gp::steady_now() < deadline;)
      queue.wait(milliseconds(500), -1);
  };
  BOOST_CHECK_EXCEPTION(listen_until_it_fails(), Error,
                        [](const Error& error) { return error.kind() == ErrorKind::kUnavailable; });
  BOOST_TEST(queue.wait(milliseconds(1), -1).queue);  // listens anew
}

BOOST_AUTO_TEST_SUITE_END()
