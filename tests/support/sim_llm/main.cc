// The simulated LLM of the tests and of `packaging/dev`: see server.h.

#include <cstdio>
#include <exception>
#include <string>
#include <utility>

#include <CLI/CLI.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <fmt/format.h>

#include "tests/support/sim_llm/server.h"

namespace asio = boost::asio;
using asio::ip::tcp;

namespace {

asio::awaitable<void> accept_for_ever(tcp::acceptor& acceptor, sim::Server& server) {
  for (;;) {
    tcp::socket socket = co_await acceptor.async_accept(asio::use_awaitable);
    asio::co_spawn(acceptor.get_executor(), server.serve(std::move(socket)), asio::detached);
  }
}

tcp::endpoint endpoint_of(const std::string& text) {
  const auto colon = text.rfind(':');
  if (colon == std::string::npos) throw CLI::ValidationError("--listen", "must be ADDRESS:PORT");
  return {asio::ip::make_address(text.substr(0, colon)),
          static_cast<unsigned short>(std::stoul(text.substr(colon + 1)))};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A simulated OpenAI-compatible chat-completions server for tests");
  std::string listen = "127.0.0.1:0";
  sim::Options options;
  std::vector<std::string> faults;
  app.add_option("--listen", listen, "ADDRESS:PORT; port 0 takes a free one");
  app.add_option("--seed", options.seed, "Same seed, same projects");
  app.add_option("--tokens-per-second", options.tokens_per_second, "0: as fast as it goes");
  app.add_option("--chunk-tokens", options.chunk_tokens, "Tokens in one chunk of a stream")
      ->check(CLI::Range(1, 1000));
  app.add_option("--rate-spread", options.rate_spread, "Calls differ in rate by up to this part of it")
      ->check(CLI::Range(0.0, 0.9));
  app.add_option("--journal", options.journal_path, "File for one JSON line per call");
  app.add_option("--fault", faults, "A fault as JSON, such as '{\"fault\":\"rate_limit\",\"times\":2}'");
  CLI11_PARSE(app, argc, argv);
  try {
    for (const std::string& fault : faults) options.faults.push_back(sim::Fault::from(gp::parse_json(fault)));
    asio::io_context context(1);
    asio::signal_set signals(context, SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
    tcp::acceptor acceptor(context, endpoint_of(listen));
    sim::Server server(std::move(options));
    const tcp::endpoint local = acceptor.local_endpoint();
    fmt::print("listening on {}:{}\n", local.address().to_string(), local.port());
    std::fflush(stdout);
    asio::co_spawn(context, accept_for_ever(acceptor, server), asio::detached);
    context.run();
    return 0;
  } catch (const std::exception& error) {
    fmt::print(stderr, "gp-sim-llm: {}\n", error.what());
    return 1;
  }
}
