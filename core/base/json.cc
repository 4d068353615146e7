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
          fail(fmt::format("nested deeper than {} levels, in {}", limits_.max_depth, shown(newest_key_)));
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
    if (key.find('\0') != std::string::npos) fail("not storable: a member's name holds U+0000");
    if (!open_.back().insert(key).second)
      fail(fmt::format("ambiguous: the member {} appears twice in one object", shown(key)));
    newest_key_ = key;
  }

  void check_string(const std::string& text) const {
    if (text.find('\0') != std::string::npos)
      fail(fmt::format("not storable: a string in {} holds U+0000", shown(newest_key_)));
  }

  static std::string shown(const std::string& key) {
    constexpr std::size_t kMostBytes = 64;  // it goes into an answer; what is cut in the middle is replaced
    return Json(key.substr(0, kMostBytes)).dump(-1, ' ', true, Json::error_handler_t::replace);
  }

  JsonLimits limits_;
  std::vector<std::set<std::string>> open_;
  std::string newest_key_;
};

}  // namespace

Json parse_json(std::string_view text, const JsonLimits& limits) {
  if (text.size() > limits.max_bytes) {
    throw Error(ErrorKind::kTooLarge, fmt::format("JSON is larger than {} bytes", limits.max_bytes));
  }
  // The library takes U+0000 for the end of the text.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos)
    throw Error(ErrorKind::kBadInput, fmt::format("JSON is malformed at byte {}", nul + 1));
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
