#include "core/http/sse.h"

#include <fmt/format.h>

#include "core/base/error.h"

namespace gp::http::sse {

std::string event(std::int64_t id, std::string_view name, std::string_view data) {
  if (data.find_first_of("\r\n") != std::string_view::npos)
    throw Error(ErrorKind::kBug, "an event's data has a line break");
  return fmt::format("id: {}\nevent: {}\ndata: {}\n\n", id, name, data);
}

std::string retry(std::chrono::milliseconds time) { return fmt::format("retry: {}\n", time.count()); }

std::string comment(std::string_view text) { return fmt::format(": {}\n", text); }

}  // namespace gp::http::sse
