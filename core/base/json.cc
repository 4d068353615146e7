#include "core/base/json.h"

#include <set>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"

namespace gp {
namespace {

/// Watches the parser's events for what nlohmann accepts and we do not: duplicate members, great depth,
/// U+0000. One set of member names per open object; arrays push an empty one so that depth is the vector's
/// size.
class StrictnessCheck {
 public:
  explicit StrictnessCheck(const JsonLimits& limits) : limits_(limits) {}

  bool operator()(int /*depth*/, Json::parse_event_t event, Json& parsed) {
    using Event = Json::parse_event_t;
    switch (event) {
      case Event::object_start:
      case Event::array_start:
        open_.emplace_back();
        if (open_.size() > limits_.max_depth)
          fail(fmt::format("nested deeper than {} levels", limits_.max_depth));
        break;
      case Event::object_end:
      case Event::array_end:
        open_.pop_back();
        break;
      case Event::key:
        check_key(parsed.get_ref<const std::string&>());
        break;
      case Event::value:
        if (parsed.is_string()) check_string(parsed.get_ref<const std::string&>());
        break;
    }
    return true;
  }

 private:
  [[noreturn]] static void fail(const std::string& problem) {
    throw Error(ErrorKind::kBadInput, "JSON is " + problem);
  }

  void check_key(const std::string& key) {
    check_string(key);
    if (!open_.back().insert(key).second) fail("ambiguous: a member appears twice in one object");
  }

  static void check_string(const std::string& text) {
    if (text.find('\0') != std::string::npos) fail("not storable: a string holds U+0000");
  }

  JsonLimits limits_;
  std::vector<std::set<std::string>> open_;
};

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(ErrorKind::kTooLarge, fmt::format("JSON is larger than {} bytes", limits.max_bytes));
  }
  StrictnessCheck check(limits);
  try {
    return Json::parse(text.begin(), text.end(), std::ref(check));
  } catch (const Json::parse_error& error) {
    throw Error(ErrorKind::kBadInput, fmt::format("JSON is malformed at byte {}", error.byte));
  } catch (const Json::exception&) {  // a number out of range is not a parse_error
    throw Error(ErrorKind::kBadInput, "JSON holds a number that is out of range");
  }
}

std::string dump_json(const Json& value) {
  return value.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace gp
