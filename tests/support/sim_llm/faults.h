#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace sim {

/// One thing that goes wrong on demand. Kinds, by where they act:
///   the HTTP answer   rate_limit quota server_error overloaded model_not_found unsupported_parameter bad_key
///   html_502
///                     garbage_http slow_start close_early
///   the stream        cut stream_error malformed_chunk silence silence_midway keepalive_comments no_usage
///   split_emoji the end           length content_filter refusal empty the text          garbage prose_fence
///   think constraint blocked personal_data seats_missing key_order wrong_type
struct Fault {
  std::string fault;
  std::string match;         ///< part of the model's name or of the user's message; empty: every call
  int times = 1;             ///< how many calls it hits; negative: all
  int after_sections = 1;    ///< complete sections before the stream breaks
  double retry_after_s = 0;  ///< Retry-After of rate_limit and overloaded; the delay of slow_start
  std::string parameter;     ///< of unsupported_parameter: hits only calls that send it

  static const std::vector<std::string>& kinds();
  /// Throws std::invalid_argument naming the member.
  static Fault from(const gp::Json& json);
};

/// The faults that are armed, oldest first.
class FaultList {
 public:
  void add(Fault fault) { faults_.push_back(std::move(fault)); }
  void clear() { faults_.clear(); }

  /// The first that hits this call, used up by one.
  std::optional<Fault> take(const gp::Json& call_body);

 private:
  std::vector<Fault> faults_;
};

}  // namespace sim
