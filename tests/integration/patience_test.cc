// A server process that stands still, its connection whole: noticed by its answers alone.

#include <array>
#include <chrono>
#include <csignal>
#include <span>
#include <string>

#include <boost/test/unit_test.hpp>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/event_reader.h"
#include "core/runlog/run_intake.h"
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

}  // namespace

BOOST_FIXTURE_TEST_SUITE(patience, Migrated)

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
  const Stopped stopped(std::stoi(
      value("SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = "
            "'generate-project events'")));
  const auto begun = gp::steady_now();
  BOOST_CHECK_EXCEPTION(read(), Error,
                        [](const Error& error) { return error.kind() == ErrorKind::kUnavailable; });
  BOOST_TEST((gp::steady_now() - begun < 2 * gp::runlog::kReadPatience));
  BOOST_TEST(read().size() == 1u);
}

BOOST_AUTO_TEST_SUITE_END()
