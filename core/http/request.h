#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gp::http {

/// One request, fully read. Pure data.
struct Request {
  std::string method;  ///< upper case, as received
  std::string path;    ///< percent-decoded, without query
  std::string query;   ///< raw, without '?'
  std::string body;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lower case, "content-type" included
  std::string request_id;  ///< never empty: the client's or nginx's where usable, else fresh

  std::optional<std::string_view> header(std::string_view lower_case_name) const;
  /// The first value of a query parameter, percent-decoded ('+' is a space).
  std::optional<std::string> query_value(std::string_view name) const;
};

}  // namespace gp::http
