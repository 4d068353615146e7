// Generations with a provider that follows a script, and what they do about earlier takes.

#include "core/generation/generation.h"

#include <filesystem>
#include <fstream>
#include <latch>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <boost/test/unit_test.hpp>

#include "tests/unit/generation/sample_answer.h"
#include "tests/unit/generation/scripted_provider.h"

using gp::Json;
using gp::generation::ProviderMemory;
using gp::project::EventType;

namespace {

/// Generations of one worker, with a provider that follows a script.
struct Worker {
  std::filesystem::path folder = std::filesystem::temp_directory_path() / ("verdict-test-" + gp::make_uuid());
  ScriptedProvider provider;
  gp::Config config;
  gp::project::Blocklist blocklist = gp::project::Blocklist::load("");
  gp::llm::PriceTable prices = gp::llm::PriceTable::load("");
  ProviderMemory memory;
  gp::generation::CircuitBreaker breaker{{.failures_to_open = 1}};

  explicit Worker(ScriptedProvider::Script script) : provider(std::move(script)) {
    config.openai_base_url = provider.url();
    config.csv_log_dir = folder;
    config.model_primary = "m";
    config.llm_response_format = config.llm_max_tokens_param = "none";
    config.llm_reasoning_effort = "low";
    config.llm_max_calls = 3;
    config.llm_connect_timeout_s = std::chrono::seconds(5);
    config.llm_first_byte_timeout_s = config.llm_idle_timeout_s = std::chrono::seconds(20);
    config.run_timeout_s = std::chrono::seconds(60);
  }
  ~Worker() { std::filesystem::remove_all(folder); }

  std::vector<gp::project::Step> run(gp::runlog::Claim claim) {
    std::vector<gp::project::Step> steps;
    const auto no = [] { return false; };
    const gp::generation::Tools tools{config,  blocklist,
                                      prices,  memory,
                                      breaker, [&](const gp::project::Step& step) { steps.push_back(step); }};
    gp::generation::Generation generation(tools, std::move(claim), {no, no, no});
    generation.run();
    BOOST_TEST(!generation.was_stopped());
    return steps;
  }

  void block(const std::string& word) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "blocklist") << word << "\n";
    blocklist = gp::project::Blocklist::load(folder / "blocklist");
  }

  /// A dollar for each token of a prompt, two for each of an answer.
  void use_price(const std::string& model) {
    std::filesystem::create_directories(folder);
    std::ofstream(folder / "prices") << gp::dump_json(
        {{model, {{"input", 1e6}, {"cached_input", 1e6}, {"output", 2e6}}}});
    prices = gp::llm::PriceTable::load(folder / "prices");
  }

  Json inputs_of(std::size_t call) const {
    return gp::parse_json(provider.calls().at(call).at("messages").at(1).at("content").get<std::string>());
  }
};

/// The claim of whoever has the run next, some time after `steps`.
gp::runlog::Claim claim_after(const std::vector<gp::project::Step>& steps, std::size_t count) {
  gp::runlog::Claim claim = sample::claim();
  for (std::size_t i = 0; i < count; ++i) claim.events.push_back(steps.at(i).event);
  return claim;
}

std::vector<std::string> names_of(const std::vector<gp::project::Step>& steps) {
  std::vector<std::string> names;
  for (const auto& step : steps) {
    const std::string id = step.event.data.value("section_id", std::string());
    names.push_back(std::string(name_of(step.event.type)) + (id.empty() ? "" : " " + id));
  }
  return names;
}

std::string end_of(const std::vector<gp::project::Step>& steps) {
  return steps.back().end->complete ? "complete" : steps.back().end->error_code;
}

std::string whole_answer(std::size_t, const Json&) { return reply::whole(sample::answer()); }

Json without_seat(Json answer, const std::string& section_id) {
  answer["sections"][section_id]["seats"].erase("2");
  return answer;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(generation)

BOOST_AUTO_TEST_CASE(a_whole_answer_completes_a_run_with_one_call) {
  Worker worker(whole_answer);
  const auto steps = worker.run(sample::claim());
  BOOST_TEST(end_of(steps) == "complete");
  BOOST_TEST(steps.back().end->llm_calls == 1);
  BOOST_TEST(steps.back().end->usage.prompt_tokens == 100);
}

BOOST_AUTO_TEST_CASE(runs_that_meet_the_same_refused_parameter_at_once_all_complete) {
  constexpr int kRuns = 3;
  std::latch all_have_called(kRuns);
  Worker worker([&](std::size_t call, const Json& body) {
    if (!body.contains("reasoning_effort")) return whole_answer(call, body);
    all_have_called.arrive_and_wait();
    return reply::refusal("400 Bad Request",
                          {{"code", "unsupported_parameter"}, {"param", "reasoning_effort"}});
  });
  std::vector<std::string> ends(kRuns);
  {
    std::vector<std::jthread> runs;
    for (std::string& end : ends) runs.emplace_back([&] { end = end_of(worker.run(sample::claim())); });
  }
  for (const std::string& end : ends) BOOST_TEST(end == "complete");
  BOOST_TEST(worker.provider.calls().size() == 2u * kRuns);
}

BOOST_AUTO_TEST_CASE(a_busy_provider_holds_up_nobody_else) {
  Worker worker(
      [](std::size_t call, const Json& body) { return call < 2 ? reply::busy() : whole_answer(call, body); });
  const auto begun = gp::steady_now();
  BOOST_TEST(end_of(worker.run(sample::claim())) == "complete");
  // The breaker that one failure opens would have rested for seconds.
  BOOST_TEST((gp::steady_now() - begun < std::chrono::seconds(4)));
}

BOOST_AUTO_TEST_CASE(a_repair_that_meets_a_passing_error_is_still_shown_what_was_wrong) {
  Worker worker([](std::size_t call, const Json& body) {
    if (call == 0) return reply::whole(without_seat(sample::answer(), "sec_01"));
    return call == 1 ? reply::busy() : whole_answer(call, body);
  });
  BOOST_TEST(end_of(worker.run(sample::claim())) == "complete");
  BOOST_REQUIRE(worker.provider.calls().size() == 3u);
  BOOST_TEST(worker.inputs_of(1).at("faults").at(0).at("field") == "sections.sec_01.seats");
  BOOST_TEST((worker.inputs_of(2).at("faults") == worker.inputs_of(1).at("faults")));
}

BOOST_AUTO_TEST_CASE(what_a_take_that_only_began_has_used_is_not_known) {
  Worker worker(whole_answer);
  const auto first = worker.run(sample::claim());
  const auto second = worker.run(claim_after(first, 1));  // run_started, and the worker died
  const gp::project::RunEnd& end = second.back().end.value();
  BOOST_TEST(end.complete);
  BOOST_TEST(end.usage.prompt_tokens == -1);
  BOOST_TEST(!end.cost_usd.has_value());
  BOOST_TEST(end.llm_calls == 2);
  BOOST_TEST(second.back().event.data.at("tokens").at("prompt").is_null());
}

BOOST_AUTO_TEST_CASE(what_a_call_that_was_accepted_and_brought_nothing_has_used_is_not_known) {
  Worker worker([](std::size_t call, const Json& body) {
    return call == 0 ? reply::kStreamHead + reply::chunk({{"role", "assistant"}}, "stop")
                     : whole_answer(call, body);
  });
  worker.use_price("m-1");
  const gp::project::RunEnd end = worker.run(sample::claim()).back().end.value();
  BOOST_TEST(end.complete);
  BOOST_TEST(end.llm_calls == 2);
  BOOST_TEST(end.usage.prompt_tokens == -1);
  BOOST_TEST(end.usage.completion_tokens == -1);
  BOOST_TEST(!end.cost_usd.has_value());
}

BOOST_AUTO_TEST_CASE(a_call_that_was_refused_costs_nothing) {
  Worker worker([](std::size_t call, const Json& body) {
    return call == 0 ? reply::busy() : whole_answer(call, body);
  });
  worker.use_price("m-1");
  const gp::project::RunEnd end = worker.run(sample::claim()).back().end.value();
  BOOST_TEST(end.llm_calls == 2);
  BOOST_TEST(end.usage.prompt_tokens == 100);
  BOOST_TEST(end.cost_usd.value() == 100.0 + 200.0 * 2, boost::test_tools::tolerance(1e-9));
}

BOOST_AUTO_TEST_CASE(what_an_attempt_that_has_ended_used_is_not_the_next_ones) {
  Worker worker([](std::size_t call, const Json& body) {
    return call == 0 ? reply::refusal("401 Unauthorized", {{"code", "invalid_api_key"}})
                     : whole_answer(call, body);
  });
  const auto first = worker.run(sample::claim());
  BOOST_TEST(end_of(first) == "llm_rejected");
  const gp::project::RunEnd end = worker.run(claim_after(first, first.size())).back().end.value();
  BOOST_TEST(end.usage.prompt_tokens == 100);
  BOOST_TEST(end.llm_calls == 1);
}

BOOST_AUTO_TEST_CASE(the_calls_of_earlier_takes_count_and_one_is_always_possible) {
  Worker worker([](std::size_t, const Json&) { return reply::busy(); });
  const auto first = worker.run(sample::claim());
  BOOST_TEST(worker.provider.calls().size() == 3u);
  gp::runlog::Claim claim = claim_after(first, 1);
  worker.run(claim);
  BOOST_TEST(worker.provider.calls().size() == 3u + 2u);
  for (int i = 0; i < 4; ++i) {
    claim.events.push_back(first.front().event);
    claim.events.back().id = static_cast<std::int64_t>(claim.events.size());
  }
  const auto last = worker.run(claim);
  BOOST_TEST(worker.provider.calls().size() == 3u + 2u + 1u);
  BOOST_TEST(last.back().end->llm_calls == 6);
}

BOOST_AUTO_TEST_CASE(a_run_that_waited_for_hours_completes_and_says_how_long_it_took) {
  Worker worker(whole_answer);
  gp::runlog::Claim claim = claim_after(worker.run(sample::claim()), 1);
  claim.events.front().data["at"] = gp::format_rfc3339(gp::wall_now() - std::chrono::hours(3));
  const auto steps = worker.run(claim);
  BOOST_TEST(end_of(steps) == "complete");
  BOOST_TEST(steps.back().event.data.at("duration_ms").get<std::int64_t>() >= 3 * 3'600'000);
}

BOOST_AUTO_TEST_CASE(a_section_that_holds_no_longer_is_written_anew_by_the_next_attempt) {
  Json zebra = sample::answer();
  zebra["sections"]["sec_01"]["shared"]["steps"][0] = "Count the stripes of the zebra";
  Worker worker([&](std::size_t call, const Json& body) {
    return call == 0 ? reply::whole(without_seat(zebra, "sec_02")) : whole_answer(call, body);
  });
  worker.config.llm_max_calls = 1;
  const auto first = worker.run(sample::claim());
  BOOST_TEST(end_of(first) == "constraint");
  worker.block("zebra");
  const auto second = worker.run(claim_after(first, first.size()));
  BOOST_TEST(end_of(second) == "complete");
  BOOST_TEST((second.front().event.data.at("resumed_sections") == Json::array()));
  BOOST_TEST((worker.inputs_of(1).at("wanted") == Json::array({"sec_01", "sec_02"})));
  BOOST_TEST(!worker.inputs_of(1).contains("finished"));
  BOOST_TEST(worker.inputs_of(1).at("faults").at(0).at("field") == "sections.sec_01.shared.steps[0]");
  BOOST_TEST(names_of(second) == (std::vector<std::string>{
                                     "run_started", "section_started sec_01", "section_completed sec_01",
                                     "section_started sec_02", "section_completed sec_02", "run_completed"}),
             boost::test_tools::per_element());
  BOOST_TEST(second.back().document.find("zebra") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_run_that_failed_its_validation_asks_for_the_bad_section_when_it_is_started_again) {
  Worker worker(whole_answer);
  auto finished = worker.run(sample::claim());
  gp::runlog::Claim claim = claim_after(finished, finished.size() - 1);
  for (auto& written : claim.events) {  // by a program that checked before it redacted
    if (written.type == EventType::kSectionCompleted && written.data.at("section_id") == "sec_02")
      written.data["section"]["teacher"]["objective"] = std::string(401, 'x');
  }
  claim.events.push_back(
      {static_cast<std::int64_t>(claim.events.size() + 1),
       EventType::kError,
       {{"code", "constraint"}, {"message", ""}, {"stage", "validate"}, {"retryable", true}}});
  const auto steps = worker.run(claim);
  BOOST_TEST(end_of(steps) == "complete");
  BOOST_TEST((worker.inputs_of(1).at("wanted") == Json::array({"sec_02"})));
}

BOOST_AUTO_TEST_CASE(a_plan_that_holds_no_longer_takes_its_sections_with_it) {
  Worker worker(whole_answer);
  const auto first = worker.run(sample::claim());
  gp::runlog::Claim claim = claim_after(first, first.size() - 1);
  for (auto& written : claim.events) {
    if (written.type == EventType::kPlanCompleted) written.data["plan"]["sections"][0]["name"] = "Zebra";
  }
  worker.block("zebra");
  const auto steps = worker.run(claim);
  BOOST_TEST(end_of(steps) == "complete");
  BOOST_TEST((worker.inputs_of(1).at("wanted") == Json::array({"sec_01", "sec_02"})));
  BOOST_TEST(!worker.inputs_of(1).contains("plan"));
  BOOST_TEST(names_of(steps)[1] == "plan_completed");
}

BOOST_AUTO_TEST_CASE(run_started_names_the_model_that_writes) {
  Worker worker([](std::size_t call, const Json& body) {
    return body.at("model") == "m" ? reply::refusal("404 Not Found", {{"code", "model_not_found"}})
                                   : whole_answer(call, body);
  });
  worker.config.model_fallback = "m-2";
  const auto steps = worker.run(sample::claim());
  BOOST_TEST(end_of(steps) == "complete");
  BOOST_TEST(names_of(steps)[1] == "run_started");
  BOOST_TEST(steps[1].event.data.at("model") == "m-2");
  BOOST_TEST(steps.back().end->llm_calls == 1);
}

BOOST_AUTO_TEST_CASE(an_answer_without_end_is_not_read_to_its_end) {
  Worker worker([](std::size_t, const Json&) {
    std::string text =
        reply::kStreamHead + reply::chunk({{"content", R"({"sections": {"sec_01": ])"}});  // broken
    for (int i = 0; i < 40; ++i) text += reply::chunk({{"content", std::string(64 * 1024, ' ')}});
    return text;
  });
  const auto steps = worker.run(sample::claim());
  BOOST_TEST(end_of(steps) == "llm_parse");
  BOOST_TEST(worker.provider.calls().size() == 2u);  // one repair
  BOOST_TEST(std::filesystem::file_size(worker.folder / sample::claim().lease.run_id.str() / "output.json") <
             (1U << 20) + (1U << 18));
}

BOOST_AUTO_TEST_SUITE_END()
