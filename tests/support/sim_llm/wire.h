#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/base/json.h"
#include "tests/support/sim_llm/author.h"
#include "tests/support/sim_llm/faults.h"

namespace sim {

/// One thing to put on the wire, in order.
struct Frame {
  enum class Kind {
    kData,     ///< an event's data
    kComment,  ///< a comment line
    kBreak,    ///< close the connection here
    kSilence,  ///< say nothing more until the client goes away
  };
  Kind kind = Kind::kData;
  std::string text;
  int tokens = 0;    ///< what it costs at the token rate
  int sections = 0;  ///< sections that are complete once it is out
};

/// One chat completion, written out before it is sent.
struct Reply {
  std::string model;
  std::string text;     ///< the assistant's whole text
  std::string refusal;  ///< instead of text
  std::string finish_reason = "stop";
  int prompt_tokens = 0;
  int completion_tokens = 0;
  std::vector<Frame> frames;  ///< the stream, `[DONE]` included
};

struct Style {
  std::uint64_t seed = 1;
  int chunk_tokens = 1;
};

/// What the simulated model answers to `body`, with `fault` in it where it is one of the stream, the end or
/// the text.
Reply write_reply(const gp::Json& body, const std::optional<Fault>& fault, int call_number,
                  const Style& style);

/// The answer to a call that did not ask for a stream.
gp::Json whole_completion(const Reply& reply, int call_number);

}  // namespace sim
