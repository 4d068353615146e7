#include "core/llm/answer_reader.h"

#include <algorithm>
#include <deque>
#include <set>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/project/redaction.h"

namespace gp::llm {
namespace {

constexpr std::size_t kMaxDepth = 32;

constexpr std::string_view kThinkOpen = "<think>";
constexpr std::string_view kThinkClose = "</think>";

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// An object whose members are followed by name: the root (level 1) and its "sections" (level 2).
struct Level {
  enum class Expect { kKey, kColon, kValue, kEnd };
  Expect expect = Expect::kKey;
  std::string key;
  std::size_t value_begin = 0;
};

}  // namespace

struct AnswerReader::Impl {
  enum class State {
    kOutside,   ///< before the root: prose, a fence, a thought
    kThinking,  ///< inside <think>
    kFirstKey,  ///< behind a brace that may be the root's
    kInside,
    kClosed,
  };

  std::string text;    ///< everything so far: slices are cut from it
  std::size_t at = 0;  ///< the next byte to look at
  State state = State::kOutside;
  std::size_t root_begin = 0;
  std::vector<char> open;     ///< the brackets that are open, the root's first
  std::vector<Level> levels;  ///< levels[i] describes the object at depth i + 1
  bool is_in_string = false;
  bool is_escaped = false;
  std::size_t string_begin = 0;
  bool is_ours = false;  ///< "plan" or "sections" was among the root's members
  std::set<std::string> seen;
  std::deque<Piece> pieces;
  std::vector<std::pair<std::size_t, std::size_t>> broken;  ///< begin and end of the sections with a problem

  void scan() {
    while (at < text.size() && state != State::kClosed) {
      switch (state) {
        case State::kOutside:
          if (!scan_outside()) return;
          break;
        case State::kThinking:
          if (!skip_thought()) return;
          break;
        case State::kFirstKey:
        case State::kInside:
          scan_inside();
          break;
        case State::kClosed:
          break;
      }
    }
  }

  /// False where more text is needed to decide.
  bool scan_outside() {
    const std::string_view rest = std::string_view(text).substr(at);
    if (rest.front() == '<') {
      if (rest.starts_with(kThinkOpen)) {
        state = State::kThinking;
      } else if (kThinkOpen.starts_with(rest)) {
        return false;
      }
    }
    if (rest.front() == '{') {
      root_begin = at;
      state = State::kFirstKey;
      open = {'{'};
      levels = {Level{}};
      is_in_string = is_escaped = is_ours = false;
      seen.clear();
      broken.clear();
    }
    ++at;
    return true;
  }

  bool skip_thought() {
    const auto end = text.find(kThinkClose, at);
    if (end == std::string::npos) {
      // The end may have arrived in part: keep as much as could belong to it.
      at = std::max(at, text.size() - std::min(text.size(), kThinkClose.size() - 1));
      return false;
    }
    at = end + kThinkClose.size();
    state = State::kOutside;
    return true;
  }

  /// What looked like the root was prose: look on right behind its brace.
  void reject_root() {
    at = root_begin + 1;
    state = State::kOutside;
    open.clear();
    levels.clear();
    pieces.clear();  // of this candidate, and none of them was ours
  }

  /// A fault of the JSON around the slices: prose where nothing of ours has come yet.
  void refuse(std::string_view why) {
    if (!is_ours) return reject_root();
    throw Error(ErrorKind::kBadInput,
                fmt::format("the answer's JSON is broken at byte {}: {}", at - root_begin, why));
  }

  void scan_inside() {
    const char c = text[at];
    if (is_in_string) {
      scan_string(c);
      return;
    }
    if (state == State::kFirstKey && !is_space(c)) {
      const Level& root = levels.front();
      const bool fits = root.expect == Level::Expect::kKey ? c == '"' : c == ':';
      if (!fits) return reject_root();
      if (c == ':') state = State::kInside;
    }
    switch (c) {
      case '"':
        string_begin = at;
        is_in_string = true;
        begin_value();
        break;
      case '{':
      case '[':
        return open_bracket(c);
      case '}':
      case ']':
        return close_bracket(c);
      case ',':
        if (Level* level = current()) level->expect = Level::Expect::kKey;
        break;
      case ':':
        if (Level* level = current(); level != nullptr && level->expect == Level::Expect::kColon) {
          level->expect = Level::Expect::kValue;
        }
        break;
      default:
        if (!is_space(c)) begin_value();
    }
    ++at;
  }

  void scan_string(char c) {
    ++at;
    if (is_escaped) {
      is_escaped = false;
    } else if (c == '\\') {
      is_escaped = true;
    } else if (c == '"') {
      is_in_string = false;
      end_string();
    }
  }

  void end_string() {
    Level* level = current();
    if (level == nullptr || level->expect != Level::Expect::kKey) return;
    try {
      const Json key = parse_json(std::string_view(text).substr(string_begin, at - string_begin));
      level->key = key.get<std::string>();
    } catch (const Error&) {
      return refuse("a member's name is not a JSON string");
    }
    level->expect = Level::Expect::kColon;
    if (levels.size() == 1 && (level->key == "plan" || level->key == "sections")) is_ours = true;
  }

  /// The followed object that the next byte belongs to directly, or nothing.
  Level* current() { return levels.size() == open.size() && !levels.empty() ? &levels.back() : nullptr; }

  void begin_value() {
    Level* level = current();
    if (level == nullptr || level->expect != Level::Expect::kValue) return;
    level->value_begin = at;
    level->expect = Level::Expect::kEnd;
  }

  void open_bracket(char c) {
    Level* level = current();
    const bool is_member = level != nullptr && level->expect == Level::Expect::kValue;
    begin_value();
    if (open.size() >= kMaxDepth) return refuse("it is nested too deeply");
    if (is_member && levels.size() == 2 && c == '{') announce(level->key);
    const bool is_followed = is_member && levels.size() == 1 && level->key == "sections" && c == '{';
    open.push_back(c);
    if (is_followed) levels.emplace_back();
    ++at;
  }

  void announce(const std::string& section_id) {
    if (!seen.insert("sections." + section_id).second)
      return refuse("section " + section_id + " comes twice");
    pieces.push_back({Piece::Kind::kSectionOpened, section_id, nullptr});
  }

  void close_bracket(char c) {
    if (open.back() != (c == '}' ? '{' : '[')) return refuse("brackets do not match");
    if (levels.size() == open.size()) levels.pop_back();
    open.pop_back();
    ++at;
    if (open.empty()) return close_root();
    if (const Level* level = current(); level != nullptr && level->expect == Level::Expect::kEnd)
      end_member(*level);
  }

  /// A structured value of a followed object has just ended at `at`.
  void end_member(const Level& level) {
    const std::string_view slice = std::string_view(text).substr(level.value_begin, at - level.value_begin);
    if (levels.size() == 2) {
      if (slice.front() == '{') end_section(level, slice);
    } else if (level.key == "plan") {
      if (!seen.insert("plan").second) return refuse("the plan comes twice");
      pieces.push_back({Piece::Kind::kPlan, "", parse_json(slice)});
    }
  }

  void end_section(const Level& level, std::string_view slice) {
    Piece piece{Piece::Kind::kSection, level.key, nullptr};
    try {
      piece.value = parse_json(slice);
    } catch (const Error& error) {
      piece.problem = project::redact(fmt::format("cannot be read: {}", error.what()));
      broken.emplace_back(level.value_begin, at);
    }
    pieces.push_back(std::move(piece));
  }

  void close_root() {
    if (!is_ours) return reject_root();
    state = State::kClosed;
    // The slices were judged one by one; this judges what stands between them.
    std::string root;
    std::size_t from = root_begin;
    for (const auto& [begin, end] : broken) {
      root.append(text, from, begin - from).append("null");
      from = end;
    }
    parse_json(root.append(text, from, at - from));
  }
};

AnswerReader::AnswerReader() : impl_(std::make_unique<Impl>()) {}
AnswerReader::~AnswerReader() = default;

void AnswerReader::push(std::string_view text) {
  if (impl_->state == Impl::State::kClosed) return;
  impl_->text += text;
  if (impl_->text.size() > AnswerReader::kMaxBytes)
    throw Error(ErrorKind::kTooLarge, "the answer is longer than 1 MiB");
  impl_->scan();
}

std::optional<Piece> AnswerReader::next() {
  if (impl_->pieces.empty()) return std::nullopt;
  Piece piece = std::move(impl_->pieces.front());
  impl_->pieces.pop_front();
  return piece;
}

bool AnswerReader::is_closed() const { return impl_->state == Impl::State::kClosed; }

bool AnswerReader::has_begun() const { return is_closed() || impl_->is_ours; }

}  // namespace gp::llm
