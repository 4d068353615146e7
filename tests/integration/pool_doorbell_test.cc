#include "core/generation/pool_doorbell.h"

#include <array>
#include <set>
#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <unistd.h>

#include "core/base/clock.h"
#include "core/base/unique_fd.h"
#include "core/runlog/channels.h"
#include "tests/integration/database.h"

using gp::RunId;
using gp::generation::PoolDoorbell;
using gp::generation::WorkerSlot;
using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

/// Two workers' view of one pool and a listener.
struct Fixture : integration::Migrated {
  gp::UniqueFd out;
  gp::UniqueFd in;
  gp::pg::Session ear;

  Fixture() : ear(url(), "ear") {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) == 0);
    out.reset(ends[0]);
    in.reset(ends[1]);
    ear.listen(gp::runlog::kEventsChannel);
  }

  WorkerSlot slot(int number) const {
    WorkerSlot slot;
    slot.slot = number;
    slot.line_in = in.get();
    slot.line_out = out.get();
    return slot;
  }

  bool hears(const RunId& run_id, milliseconds patience = seconds(30)) {
    for (const auto deadline = gp::steady_now() + patience; gp::steady_now() < deadline;) {
      for (const auto& ring : ear.wait(milliseconds(100), -1)) {
        if (ring.payload.find(run_id.str()) != std::string::npos) return true;
      }
    }
    return false;
  }

  int doorbell_sessions() const {
    return std::stoi(value(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = "
        "'generate-project doorbell'"));
  }
};

std::vector<RunId> some_runs(int count) {
  std::vector<RunId> runs;
  for (int i = 0; i < count; ++i) runs.emplace_back(gp::make_uuid());
  return runs;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(pool_doorbell, Fixture)

BOOST_AUTO_TEST_CASE(the_workers_of_a_pool_share_the_session_of_slot_0) {
  PoolDoorbell first(url(), slot(0));
  PoolDoorbell second(url(), slot(1));
  for (PoolDoorbell* bell : {&second, &first, &second}) {
    const auto runs = some_runs(1);
    bell->ring(runs);
    BOOST_TEST(hears(runs.front()));
  }
  BOOST_TEST(doorbell_sessions() == 1);
}

BOOST_AUTO_TEST_CASE(names_wait_in_the_line_for_the_next_worker_of_slot_0) {
  PoolDoorbell second(url(), slot(1));
  const auto runs = some_runs(1);
  second.ring(runs);
  BOOST_TEST(doorbell_sessions() == 0);
  const PoolDoorbell first(url(), slot(0));
  BOOST_TEST(hears(runs.front()));
}

BOOST_AUTO_TEST_CASE(where_nobody_reads_the_line_a_worker_rings_by_itself) {
  PoolDoorbell second(url(), slot(1));
  second.ring(some_runs(4000));
  const auto runs = some_runs(1);
  second.ring(runs);
  BOOST_TEST(hears(runs.front()));
  BOOST_TEST(doorbell_sessions() == 1);
}

BOOST_AUTO_TEST_CASE(while_the_pool_stops_each_worker_rings_by_itself) {
  PoolDoorbell second(url(), slot(1));
  second.ring_alone_from_now_on();
  const auto runs = some_runs(1);
  second.ring(runs);
  BOOST_TEST(hears(runs.front()));
}

BOOST_AUTO_TEST_SUITE_END()
