#include "core/project/start_request.h"

#include <cmath>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <re2/re2.h>

#include "core/base/utf8.h"

namespace gp::project {
namespace {

constexpr std::size_t kMaxTextCharacters = 200;
constexpr std::size_t kMaxIdCharacters = 128;
constexpr std::size_t kMaxEmailBytes = 254;  // RFC 5321 4.5.3.1.3, less the angle brackets

struct Range {
  int min;
  int max;
};
constexpr Range kGroupSize = {1, 8};
constexpr Range kDurationMin = {10, 240};

/// Reads one member after the other and collects what is wrong. After a fault the value returned is only a
/// place holder.
class BodyReader {
 public:
  explicit BodyReader(const Json& body) : body_(body) {}

  std::string text(const char* name, std::size_t max_characters) {
    if (!is_present(name)) return fail(name, "is required");
    const Json& value = body_.at(name);
    if (!value.is_string()) return fail(name, "must be a string");
    const auto& raw = value.get_ref<const std::string&>();
    if (!utf8::is_valid(raw)) return fail(name, "must be valid UTF-8");
    std::string trimmed = utf8::trim(raw);
    const std::size_t length = utf8::length(trimmed);
    if (length == 0 || length > max_characters) {
      return fail(name, fmt::format("must be 1 to {} characters long", max_characters));
    }
    if (utf8::has_control(trimmed, false)) return fail(name, "must not hold control characters");
    return trimmed;
  }

  /// Empty where the member is missing, null or blank.
  std::string optional_text(const char* name, std::size_t max_characters) {
    if (!is_present(name) || is_blank(body_.at(name))) return {};
    return text(name, max_characters);
  }

  int whole_number(const char* name, Range range) {
    const auto refuse = [&](std::string_view problem) {
      fail(name, std::string(problem));
      return range.min;
    };
    if (!is_present(name)) return refuse("is required");
    const Json& value = body_.at(name);
    const double number = value.is_number() ? value.get<double>() : std::nan("");
    if (!(number >= range.min && number <= range.max) || number != std::floor(number)) {
      return refuse(fmt::format("must be a whole number from {} to {}", range.min, range.max));
    }
    return static_cast<int>(number);
  }

  bool optional_bool(const char* name, bool fallback) {
    if (!is_present(name)) return fallback;
    const Json& value = body_.at(name);
    if (!value.is_boolean()) fail(name, "must be true or false");
    return value.is_boolean() ? value.get<bool>() : fallback;
  }

  std::string fail(const char* name, std::string problem) {
    faults_.push_back({name, std::move(problem)});
    return {};
  }

  std::vector<Fault> take_faults() { return std::move(faults_); }

 private:
  bool is_present(const char* name) const { return body_.contains(name) && !body_.at(name).is_null(); }

  static bool is_blank(const Json& value) {
    if (!value.is_string()) return false;
    const auto& text = value.get_ref<const std::string&>();
    return utf8::is_valid(text) && utf8::trim(text).empty();
  }

  const Json& body_;
  std::vector<Fault> faults_;
};

/// Plausible, not provably deliverable: one @, a local part of usual characters, a domain of at least two
/// labels. Letters of any script, since addresses may be internationalised (RFC 6531).
bool is_plausible_email(const std::string& text) {
  static const RE2 pattern(
      R"([\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+(?:\.[\p{L}\p{M}\p{N}!#$%&'*+/=?^_`{|}~-]+)*)"
      R"(@(?:[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}-]*[\p{L}\p{M}\p{N}])?\.)+)"
      R"((?:\p{L}[\p{L}\p{M}]+|(?i:xn--[a-z0-9-]+)))");
  return text.size() <= kMaxEmailBytes && text.find('@') <= 64 && RE2::FullMatch(text, pattern);
}

bool has_dot_segment(std::string_view path) {
  for (;;) {
    const auto end = path.find('/');
    const std::string_view segment = path.substr(0, end);
    if (segment == "." || segment == "..") return true;
    if (end == std::string_view::npos) return false;
    path.remove_prefix(end + 1);
  }
}

/// An id is a part of a path: servers and clients resolve dot segments (RFC 3986 5.2.4), so that
/// GET /status/<project_id> would never reach such a project.
std::string read_project_id(BodyReader& body) {
  std::string id = body.text("project_id", kMaxIdCharacters);
  if (has_dot_segment(id)) return body.fail("project_id", "must not hold a path segment . or ..");
  return id;
}

std::string read_grade_band(BodyReader& body) {
  static const RE2 pattern("([1-9]|1[0-2])(?:-([1-9]|1[0-2]))?");
  std::string band = body.optional_text("grade_band", 20);
  if (band.empty()) return StartRequest{}.grade_band;
  std::string from;
  std::string to;
  if (!RE2::FullMatch(band, pattern, &from, &to) || (!to.empty() && std::stoi(to) < std::stoi(from))) {
    return body.fail("grade_band",
                     "must be a grade or a range of grades from 1 to 12, such as \"7\" or \"6-8\"");
  }
  return band;
}

Secret read_owner_email(BodyReader& body) {
  std::string address = body.text("owner_email", kMaxEmailBytes);
  if (!address.empty() && !is_plausible_email(address)) {
    body.fail("owner_email", "must be an e-mail address of at most 254 bytes, such as name@school.ae");
  }
  return Secret(std::move(address));
}

}  // namespace

std::variant<StartRequest, std::vector<Fault>> parse_start_request(const Json& body) {
  if (!body.is_object()) return std::vector<Fault>{{"", "must be a JSON object"}};
  BodyReader reader(body);
  StartRequest request;
  request.project_id = ProjectId(read_project_id(reader));
  request.chat_id = ChatId(reader.text("chat_id", kMaxIdCharacters));
  request.title = reader.optional_text("title", kMaxTextCharacters);
  request.topic = reader.text("topic", kMaxTextCharacters);
  request.life_skill = reader.text("life_skill", kMaxTextCharacters);
  request.grade_band = read_grade_band(reader);
  request.group_size = reader.whole_number("group_size", kGroupSize);
  request.duration_min = reader.whole_number("duration_min", kDurationMin);
  request.owner_email = read_owner_email(reader);
  request.uae_context = reader.optional_bool("uae_context", request.uae_context);
  auto faults = reader.take_faults();
  if (!faults.empty()) return faults;
  return request;
}

Json to_json(const StartRequest& request) {
  return {{"project_id", request.project_id.str()},
          {"chat_id", request.chat_id.str()},
          {"title", request.title},
          {"topic", request.topic},
          {"life_skill", request.life_skill},
          {"grade_band", request.grade_band},
          {"group_size", request.group_size},
          {"duration_min", request.duration_min},
          {"uae_context", request.uae_context}};
}

StartRequest restore_start_request(const Json& stored, Secret owner_email) {
  try {
    StartRequest request;
    request.project_id = ProjectId(stored.at("project_id").get<std::string>());
    request.chat_id = ChatId(stored.at("chat_id").get<std::string>());
    request.title = stored.at("title").get<std::string>();
    request.topic = stored.at("topic").get<std::string>();
    request.life_skill = stored.at("life_skill").get<std::string>();
    request.grade_band = stored.at("grade_band").get<std::string>();
    request.group_size = stored.at("group_size").get<int>();
    request.duration_min = stored.at("duration_min").get<int>();
    request.uae_context = stored.at("uae_context").get<bool>();
    request.owner_email = std::move(owner_email);
    return request;
  } catch (const Json::exception&) {
    throw Error(ErrorKind::kBug, "a stored start request cannot be read back");
  }
}

std::string redacted_email(const Secret& address) {
  const std::string& text = address.reveal();
  const auto at = text.rfind('@');
  return at == std::string::npos ? "redacted" : "redacted" + text.substr(at);
}

}  // namespace gp::project
