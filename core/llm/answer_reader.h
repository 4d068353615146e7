#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/json.h"

namespace gp::llm {

/// One complete part of the answer.
struct Piece {
  enum class Kind {
    kPlan,           ///< the plan's last brace has arrived
    kSectionOpened,  ///< a section's first brace has arrived; `value` is null
    kSection,        ///< a section's last brace has arrived
  };
  Kind kind = Kind::kPlan;
  std::string section_id;    ///< empty for kPlan
  Json value;                ///< as the model wrote it (response_schema.h), parsed strictly
  std::string problem = {};  ///< of a section whose JSON does not parse: what is wrong; `value` is null
};

/// Turns the assistant's text, as it arrives in pieces cut anywhere, into plan and sections the moment each
/// is complete. Tolerates a byte order mark, prose, <think> blocks and a code fence around the JSON. It only
/// finds the borders of a slice; parse_json is the judge of what is inside. Pure; one thread.
class AnswerReader {
 public:
  static constexpr std::size_t kMaxBytes = 1 << 20;

  AnswerReader();
  ~AnswerReader();

  /// Takes the next bytes. A section that is not valid JSON is a piece with a problem: its borders are known,
  /// so what comes behind it is still read. Throws Error(kBadInput) where the plan or what stands between the
  /// parts is not valid JSON, a section comes twice, or the depth limit is passed; Error(kTooLarge) past 1
  /// MiB.
  void push(std::string_view text);

  /// The next piece that is complete, in order of arrival.
  std::optional<Piece> next();

  /// True once the root object's last brace has arrived; what follows is ignored.
  bool is_closed() const;
  /// True once a root object has begun.
  bool has_begun() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace gp::llm
