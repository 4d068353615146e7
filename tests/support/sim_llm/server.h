#pragma once

#include <cstdint>
#include <fstream>
#include <string>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http.hpp>

#include "core/base/json.h"
#include "tests/support/sim_llm/faults.h"
#include "tests/support/sim_llm/wire.h"

namespace sim {

struct Options {
  std::uint64_t seed = 1;
  double tokens_per_second = 400;  ///< 0: as fast as it goes
  int chunk_tokens = 1;            ///< tokens in one chunk of a stream
  double rate_spread = 0;          ///< each call's rate is drawn from 1 - spread to 1 + spread times the rate
  std::string journal_path;        ///< one JSON line for each call that has ended; empty: none
  std::vector<Fault> faults;
};

/// An OpenAI-compatible chat-completions server that writes plausible classroom projects and fails on demand.
///   POST <anything>/chat/completions     GET <anything>/models
///   GET /control/health · GET, DELETE /control/journal · POST, DELETE /control/faults ·
///   PUT /control/rate {"tokens_per_second", "match"}
/// The journal says of each call when each section's last byte was written (CLOCK_MONOTONIC, so that another
/// process of this machine can compare it).
/// One thread: the io_context's.
class Server {
 public:
  explicit Server(Options options);

  /// Serves one connection until its client goes away.
  boost::asio::awaitable<void> serve(boost::asio::ip::tcp::socket socket);

 private:
  using Request = boost::beast::http::request<boost::beast::http::string_body>;
  using Response = boost::beast::http::response<boost::beast::http::string_body>;
  using Tcp = boost::beast::tcp_stream;

  /// False: the connection is over.
  boost::asio::awaitable<bool> answer(Tcp& stream, const Request& request);
  boost::asio::awaitable<bool> complete(Tcp& stream, const Request& request);
  boost::asio::awaitable<bool> send_reply(Tcp& stream, const Request& request, const gp::Json& body,
                                          const Reply& reply, std::size_t call);
  boost::asio::awaitable<std::string> send_frames(Tcp& stream, const gp::Json& body, const Reply& reply,
                                                  std::size_t call);

  Response control(const Request& request);
  double rate_for(const std::string& text) const;
  void note_sections(std::size_t call, int complete);
  std::size_t begin_call(const gp::Json& body);
  void end_call(std::size_t call, const std::string& outcome);

  struct Rate {
    std::string match;
    double tokens_per_second;
  };

  Options options_;
  FaultList faults_;
  std::vector<Rate> rates_;  ///< the last that matches counts
  gp::Json journal_ = gp::Json::array();
  std::size_t calls_ = 0;
  std::ofstream journal_file_;
};

}  // namespace sim
