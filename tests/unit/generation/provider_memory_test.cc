#include "core/generation/provider_memory.h"

#include <string>
#include <vector>

#include <boost/test/unit_test.hpp>

using gp::generation::ProviderMemory;

BOOST_AUTO_TEST_SUITE(provider_memory)

BOOST_AUTO_TEST_CASE(calls_that_are_refused_the_same_parameter_at_once_may_all_go_on_without_it) {
  ProviderMemory memory;
  const auto first = memory.parameters_for("m");
  const auto second = memory.parameters_for("m");
  BOOST_TEST(memory.drop(first, "temperature"));
  BOOST_TEST(memory.drop(second, "temperature"));
  BOOST_TEST((memory.parameters_for("m").dropped == std::vector<std::string>{"temperature"}));
}

BOOST_AUTO_TEST_CASE(a_call_that_is_refused_for_what_it_did_not_send_may_not) {
  ProviderMemory memory;
  BOOST_TEST(memory.drop(memory.parameters_for("m"), "temperature"));
  BOOST_TEST(!memory.drop(memory.parameters_for("m"), "temperature"));
  BOOST_TEST(memory.drop(memory.parameters_for("m"), "reasoning_effort"));
}

BOOST_AUTO_TEST_CASE(what_one_model_refuses_is_sent_to_another) {
  ProviderMemory memory;
  BOOST_TEST(memory.drop(memory.parameters_for("m"), "temperature"));
  BOOST_TEST(memory.parameters_for("other").dropped.empty());
}

BOOST_AUTO_TEST_SUITE_END()
