#include "core/base/metrics.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <latch>
#include <set>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/unique_fd.h"
#include "tests/support/exposition.h"
#include "tests/support/shell.h"

using gp::metrics::Counter;
using gp::metrics::Gauge;
using gp::metrics::Histogram;
using support::parse_exposition;
using namespace std::chrono_literals;
namespace metrics = gp::metrics;

namespace {

void nothing() {}

/// A process that attaches to a slot's file, does `work`, and then repeats `meanwhile` until it is killed.
class Attached {
 public:
  using Work = std::function<void()>;

  Attached(const std::string& path, const Work& work, const Work& meanwhile = ::pause) {
    std::array<int, 2> ends{};
    BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    const gp::UniqueFd read_end(ends[0]);
    gp::UniqueFd write_end(ends[1]);
    pid_ = ::fork();
    if (pid_ == 0) live(path, work, meanwhile, write_end.get());
    write_end.reset();
    char byte = 0;
    BOOST_REQUIRE_MESSAGE(::read(read_end.get(), &byte, 1) == 1, "the process has ended");
  }
  ~Attached() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Attached(const Attached&) = delete;
  Attached& operator=(const Attached&) = delete;

 private:
  [[noreturn]] static void live(const std::string& path, const Work& work, const Work& meanwhile,
                                int done_fd) noexcept {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    metrics::attach(path);
    work();
    if (::write(done_fd, "x", 1) != 1) ::_exit(1);
    for (;;) meanwhile();
  }

  pid_t pid_ = 0;
};

/// A runtime folder with the files of a host.
struct HostFolder {
  support::TempFolder folder;

  std::string file(const std::string& handler, int slot) const {
    return metrics::slot_file(folder.path(), handler, slot);
  }
  std::string text() const { return metrics::render(metrics::folder_in(folder.path())); }
  double value(const std::string& series) const {
    return support::sample(parse_exposition(text()), "generate_project_" + series);
  }
};

mode_t mode_of(const std::string& path) {
  struct stat info {};
  BOOST_REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_mode & 07777;
}

/// What a process says on stderr that attaches to `path` and counts although no file may be larger than
/// `file_limit_bytes`.
std::string reported_while_counting(const std::string& path, rlim_t file_limit_bytes) {
  std::array<int, 2> ends{};
  BOOST_REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  const gp::UniqueFd read_end(ends[0]);
  gp::UniqueFd write_end(ends[1]);
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::dup2(write_end.get(), STDERR_FILENO);
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit{file_limit_bytes, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    metrics::attach(path);
    const auto before = metrics::value_of(Counter::kStreamsOpened);
    metrics::count(Counter::kStreamsOpened);
    ::_exit(metrics::value_of(Counter::kStreamsOpened) == before + 1 ? 0 : 1);
  }
  write_end.reset();
  std::string text;
  std::array<char, 1024> buffer{};
  for (ssize_t got = 0; (got = ::read(read_end.get(), buffer.data(), buffer.size())) > 0;)
    text.append(buffer.data(), static_cast<std::size_t>(got));
  int status = 0;
  ::waitpid(pid, &status, 0);
  BOOST_TEST((WIFEXITED(status) && WEXITSTATUS(status) == 0));
  return text;
}

bool refuses(const std::string& text) {
  try {
    parse_exposition(text);
  } catch (const std::exception&) {
    return true;
  }
  return false;
}

/// The names of `rows`' series; each family must stand together, begin with its help, and keep its labels.
template <class Rows>
std::vector<std::string> check_rows(const Rows& rows) {
  std::vector<std::string> series;
  std::set<std::string_view> families;
  std::string_view family;
  for (const auto& row : rows) {
    BOOST_TEST_CONTEXT(row.name << " " << row.labels) {
      BOOST_TEST(row.help.empty() == (row.name == family));
      if (row.name != family) BOOST_TEST(families.insert(row.name).second);
      BOOST_TEST(row.name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_") == std::string_view::npos);
      BOOST_TEST(row.help.find_first_of("\\\n") == std::string_view::npos);
      BOOST_TEST((row.help.empty() || row.help.ends_with('.')));
      BOOST_TEST((std::ranges::adjacent_find(row.bounds, std::greater_equal<>()) == row.bounds.end()));
    }
    family = row.name;
    series.push_back(fmt::format("{}{{{}}}", row.name, row.labels));
  }
  return series;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(metrics_of_a_host)

BOOST_AUTO_TEST_CASE(every_series_of_the_tables_is_sound_and_declared_once) {
  std::set<std::string> all;
  std::size_t rows = 0;
  for (const auto& series :
       {check_rows(metrics::counters()), check_rows(metrics::gauges()), check_rows(metrics::histograms())}) {
    all.insert(series.begin(), series.end());
    rows += series.size();
  }
  BOOST_TEST(all.size() == rows);
  for (const auto& row : metrics::counters()) BOOST_TEST(row.name.ends_with("_total"), row.name);
  for (const auto& row : metrics::gauges()) BOOST_TEST(!row.name.ends_with("_total"), row.name);
  for (const auto& row : metrics::histograms()) BOOST_TEST(row.name.ends_with("_seconds"), row.name);
}

BOOST_AUTO_TEST_CASE(counts_of_several_threads_add_up) {
  constexpr std::uint64_t kTimes = 200'000;
  constexpr int kThreads = 4;
  const auto counted = metrics::value_of(Counter::kEventsDelivered);
  const auto observed = metrics::count_of(Histogram::kDeliveryLag);
  {
    std::latch all_are_there(kThreads);
    std::vector<std::jthread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        all_are_there.arrive_and_wait();
        for (std::uint64_t i = 0; i < kTimes; ++i) {
          metrics::count(Counter::kEventsDelivered);
          metrics::add(Gauge::kStreamsOpen, i % 2 == 0 ? 3 : -2);
          metrics::observe(Histogram::kDeliveryLag, 1us * i, 2);
        }
      });
    }
  }
  BOOST_TEST(metrics::value_of(Counter::kEventsDelivered) - counted == kThreads * kTimes);
  BOOST_TEST(metrics::count_of(Histogram::kDeliveryLag) - observed == 2 * kThreads * kTimes);
  BOOST_TEST(metrics::value_of(Gauge::kStreamsOpen) == static_cast<std::int64_t>(kThreads * kTimes / 2));
  metrics::set(Gauge::kStreamsOpen, 0);
}

BOOST_AUTO_TEST_CASE(a_duration_is_counted_in_every_bucket_that_holds_it) {
  const HostFolder host;
  const Attached process(host.file("events", 0), [] {
    metrics::observe(Histogram::kDeliveryLag, 1ms);
    metrics::observe(Histogram::kDeliveryLag, 1ms + 1ns, 3);
    metrics::observe(Histogram::kDeliveryLag, -5s);
    metrics::observe(Histogram::kDeliveryLag, 60s);
  });
  BOOST_TEST(host.value(R"(delivery_lag_seconds_bucket{le="0.0005"})") == 1);
  BOOST_TEST(host.value(R"(delivery_lag_seconds_bucket{le="0.001"})") == 2);
  BOOST_TEST(host.value(R"(delivery_lag_seconds_bucket{le="0.002"})") == 5);
  BOOST_TEST(host.value(R"(delivery_lag_seconds_bucket{le="30"})") == 5);
  BOOST_TEST(host.value(R"(delivery_lag_seconds_bucket{le="+Inf"})") == 6);
  BOOST_TEST(host.value("delivery_lag_seconds_count") == 6);
  BOOST_TEST(host.value("delivery_lag_seconds_sum") == 60.004000003, boost::test_tools::tolerance(1e-12));
}

BOOST_AUTO_TEST_CASE(counters_survive_a_killed_process_and_go_on_in_its_replacement) {
  const HostFolder host;
  const auto work = [] {
    metrics::count(Counter::kStreamsOpened, 5);
    metrics::observe(Histogram::kDeliveryLag, 2ms);
  };
  { const Attached killed(host.file("events", 0), work); }
  BOOST_TEST(host.value("streams_opened_total") == 5);
  const Attached replacement(host.file("events", 0), work);
  BOOST_TEST(host.value("streams_opened_total") == 10);
  BOOST_TEST(host.value("delivery_lag_seconds_count") == 2);
}

BOOST_AUTO_TEST_CASE(gauges_of_a_dead_process_are_not_counted_and_begin_at_zero_in_its_replacement) {
  const HostFolder host;
  {
    const Attached process(host.file("events", 0), [] { metrics::set(Gauge::kStreamsOpen, 7); });
    BOOST_TEST(host.value("streams_open") == 7);
  }
  BOOST_TEST(host.value("streams_open") == 0);
  const Attached replacement(host.file("events", 0), [] { metrics::add(Gauge::kStreamsOpen, 1); });
  BOOST_TEST(host.value("streams_open") == 1);
}

BOOST_AUTO_TEST_CASE(processes_of_all_handlers_are_added_up_and_told_apart) {
  const HostFolder host;
  const auto work = [] {
    metrics::count(Counter::kAnswers4xx, 2);
    metrics::observe(Histogram::kRequestTime, 3ms);
    metrics::set(Gauge::kStreamsOpen, 4);
  };
  const Attached first(host.file("start", 0), work);
  const Attached second(host.file("start", 11), work);
  const Attached third(host.file("status", 0), work);
  { const Attached dead(host.file("worker", 0), nothing); }
  BOOST_TEST(host.value(R"(processes{handler="start"})") == 2);
  BOOST_TEST(host.value(R"(processes{handler="status"})") == 1);
  BOOST_TEST(host.value(R"(processes{handler="worker"})") == 0);
  BOOST_TEST(host.value(R"(requests_total{handler="start",class="4xx"})") == 4);
  BOOST_TEST(host.value(R"(requests_total{handler="status",class="4xx"})") == 2);
  BOOST_TEST(host.value(R"(requests_total{handler="health",class="4xx"})") == 0);
  BOOST_TEST(host.value(R"(request_seconds_count{handler="start"})") == 2);
  BOOST_TEST(host.value("streams_open") == 12);
}

BOOST_AUTO_TEST_CASE(a_file_of_another_layout_is_passed_over_and_then_replaced) {
  const HostFolder host;
  for (const std::string& content : {std::string("short"), std::string(100'000, 'x'), std::string()}) {
    {
      const Attached process(host.file("events", 0), [] { metrics::count(Counter::kStreamsOpened); });
    }
    std::ofstream(host.file("events", 0), std::ios::binary) << content;
    BOOST_TEST(host.value("streams_opened_total") == 0);
  }
  {
    const Attached process(host.file("events", 0), [] { metrics::count(Counter::kStreamsOpened); });
  }
  std::fstream file(host.file("events", 0), std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(8) << "another.";  // the same size, and tables of another version
  file.close();
  BOOST_TEST(host.value("streams_opened_total") == 0);
  const Attached process(host.file("events", 0), [] { metrics::count(Counter::kStreamsOpened, 3); });
  BOOST_TEST(host.value("streams_opened_total") == 3);
}

BOOST_AUTO_TEST_CASE(a_slot_whose_former_process_still_lives_goes_on_from_its_counters) {
  const HostFolder host;
  const auto work = [] {
    metrics::count(Counter::kRunsTaken, 2);
    metrics::set(Gauge::kStreamsOpen, 6);
  };
  const Attached former(host.file("worker", 0), work);
  const Attached successor(host.file("worker", 0), work);
  BOOST_TEST(host.value("runs_taken_total") == 4);
  BOOST_TEST(host.value("streams_open") == 6);
  BOOST_TEST(host.value(R"(processes{handler="worker"})") == 1);
}

BOOST_AUTO_TEST_CASE(only_the_services_account_and_group_can_read_the_files) {
  const HostFolder host;
  const Attached process(host.file("start", 0), nothing);
  BOOST_TEST(mode_of(host.file("start", 0)) == 0640u);
  BOOST_TEST(mode_of(metrics::folder_in(host.folder.path())) == 0750u);
}

BOOST_AUTO_TEST_CASE(a_folder_that_cannot_be_made_is_reported_once_and_counting_goes_on) {
  const HostFolder host;
  std::ofstream(metrics::folder_in(host.folder.path())) << "a file where the folder should be";
  const std::string reported = reported_while_counting(host.file("start", 0), RLIM_INFINITY);
  BOOST_TEST(reported.find("metrics_not_shared") != std::string::npos, reported);
  BOOST_TEST(reported.find('\n') == reported.size() - 1, reported);
}

BOOST_AUTO_TEST_CASE(a_file_that_cannot_be_filled_is_reported_and_gets_no_name) {
  const HostFolder host;
  const std::string reported = reported_while_counting(host.file("start", 0), 100);
  BOOST_TEST(reported.find("metrics_not_shared") != std::string::npos, reported);
  BOOST_TEST(!std::filesystem::exists(host.file("start", 0)));
}

BOOST_AUTO_TEST_CASE(without_any_file_every_series_is_there_and_zero) {
  const HostFolder host;
  const auto families = parse_exposition(host.text());
  BOOST_TEST(support::sample(families, R"(generate_project_build_info{version=")" GP_VERSION R"("})") == 1);
  for (const auto& [name, family] : families) {
    if (name == "generate_project_build_info") continue;
    for (const auto& [series, value] : family.samples) BOOST_TEST(value == 0, series);
  }
  for (const auto& row : metrics::counters())
    BOOST_TEST(families.contains(fmt::format("{}{}", metrics::kPrefix, row.name)));
  BOOST_TEST(!std::filesystem::exists(metrics::folder_in(host.folder.path())));
}

BOOST_AUTO_TEST_CASE(numbers_never_go_backwards_while_a_process_counts) {
  const HostFolder host;
  const Attached process(host.file("events", 0), nothing, [i = 0]() mutable {
    metrics::count(Counter::kEventsDelivered);
    metrics::observe(Histogram::kDeliveryLag, 10ms * (++i % 4000));
  });
  double delivered = 0;
  double observed = 0;
  for (int rounds = 0; rounds<100; rounds += delivered> 0 ? 1 : 0) {
    const auto families = parse_exposition(host.text());  // which checks that the buckets make the count
    const double delivered_now = support::sample(families, "generate_project_events_delivered_total");
    const double observed_now = support::sample(families, "generate_project_delivery_lag_seconds_count");
    if (delivered_now < delivered || observed_now < observed) BOOST_ERROR("went backwards");
    delivered = delivered_now;
    observed = observed_now;
  }
}

BOOST_AUTO_TEST_CASE(a_text_against_the_rules_of_the_format_is_refused) {
  const std::string head = "# HELP a_total Help.\n# TYPE a_total counter\n";
  BOOST_TEST(!refuses(head + "a_total{b=\"c\"} 1\n"));
  BOOST_TEST(refuses(head + "a_total 1"));
  BOOST_TEST(refuses(head + "a_total 1\na_total 2\n"));
  BOOST_TEST(refuses(head + "b_total 1\n"));
  BOOST_TEST(refuses(head + "a_total{b=c} 1\n"));
  BOOST_TEST(refuses(head + "a_total 1\n" + head + "a_total{b=\"c\"} 1\n"));
  BOOST_TEST(refuses("# HELP a Help.\n# TYPE a counter\na 1\n"));
  const std::string lag = "# HELP lag Help.\n# TYPE lag histogram\nlag_bucket{le=\"1\"} 2\n";
  BOOST_TEST(!refuses(lag + "lag_bucket{le=\"+Inf\"} 3\nlag_sum 4\nlag_count 3\n"));
  BOOST_TEST(refuses(lag + "lag_bucket{le=\"+Inf\"} 1\nlag_sum 4\nlag_count 1\n"));
  BOOST_TEST(refuses(lag + "lag_bucket{le=\"+Inf\"} 3\nlag_sum 4\nlag_count 2\n"));
  BOOST_TEST(refuses(lag + "lag_sum 4\nlag_count 2\n"));
}

BOOST_AUTO_TEST_SUITE_END()
