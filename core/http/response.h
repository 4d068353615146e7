#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gp::http {

struct Response {
  int status = 200;
  std::vector<std::pair<std::string, std::string>>
      headers;  ///< without Content-Length, which is set when written
  std::string body;

  Response& with(std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return *this;
  }
};

/// A JSON answer: `application/json`, Cache-Control: no-store.
Response json_response(int status, std::string body);

std::string_view reason_phrase(int status);

}  // namespace gp::http
