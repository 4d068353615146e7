#pragma once

#include <string>
#include <string_view>

#include "core/base/json.h"
#include "core/llm/chat_call.h"

namespace gp::llm {

/// What one chat completion has said so far: reads the chunks of a stream, or one whole completion object,
/// tolerating what compatible servers do (no choices, usage on any chunk, error objects, surrogate pairs
/// split over two chunks). Pure; one thread.
class Completion {
 public:
  /// Takes one event's data and returns the assistant's text in it (may be empty). After has_failed() or
  /// is_done() nothing more need be given. Never throws for what the provider sent.
  std::string take_chunk(std::string_view data);

  /// The same for data that the end of the stream has left without its blank line: the standard discards it,
  /// but some servers end so. One that is cut in its midst says nothing.
  std::string take_last(std::string_view data);

  /// The same for the body of a server that did not stream.
  std::string take_whole(std::string_view body);

  bool is_done() const noexcept { return is_done_; }  ///< [DONE] was there
  bool has_failed() const noexcept { return has_failed_; }

  /// How the call ended, given that the transfer did: `transfer_failure` is curl's sentence or empty.
  CallResult result(const std::string& transfer_failure) const;

 private:
  std::string take(const Json& object, const char* message_member);
  void take_usage(const Json& usage);
  void fail(CallResult failure);

  CallResult failure_;
  bool has_failed_ = false;
  bool is_done_ = false;
  bool has_refusal_ = false;
  bool has_text_ = false;
  std::string finish_reason_;
  std::string model_;
  project::Usage usage_;
  std::int64_t reasoning_tokens_ = 0;
  std::string high_surrogate_;  ///< "\ud83d" that waits for its other half
};

}  // namespace gp::llm
