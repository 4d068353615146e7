#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/json.h"

namespace support {

using Headers = std::vector<std::pair<std::string, std::string>>;

struct Reply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case
  std::string body;

  std::string header(const std::string& lower_case_name) const;  ///< the first; empty where there is none
  int count(const std::string& lower_case_name) const;
  gp::Json json() const { return gp::parse_json(body); }
};

/// One HTTP/1.1 request on a connection of its own to 127.0.0.1. Throws std::runtime_error after 60 s of
/// silence.
Reply request(int port, const std::string& method, const std::string& target, const std::string& body = {},
              const Headers& headers = {});

struct StreamEvent {
  std::int64_t id = 0;
  std::string name;
  gp::Json data;
};

/// GET of an event stream, read as it arrives, by the rules of WHATWG HTML 9.2.
class EventStream {
 public:
  EventStream(int port, const std::string& target, const Headers& headers = {});
  ~EventStream();

  /// Status and headers; the body is empty where this is a stream.
  const Reply& reply() const;

  /// The next event; nothing once the server has ended the response. Throws std::runtime_error after
  /// `patience` without one.
  std::optional<StreamEvent> next(std::chrono::milliseconds patience = std::chrono::seconds(60));

  /// Everything until the end of the response.
  std::vector<StreamEvent> rest();

  /// Every byte of the body so far.
  const std::string& raw() const;

  /// Waits until the body holds `text`; false after `patience` or at the end of the response.
  bool wait_for_text(const std::string& text, std::chrono::milliseconds patience);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace support
