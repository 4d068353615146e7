#include "core/llm/chat_call.h"

#include <deque>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <re2/re2.h>

#include "core/base/clock.h"
#include "core/base/error.h"
#include "core/curl/transfer.h"
#include "core/llm/completion.h"
#include "core/llm/data_lines.h"
#include "core/llm/provider_error.h"

namespace gp::llm {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kLongestPull{150};  // should_stop is asked at least every 200 ms
constexpr int kMostEventsAtOnce = 256;
constexpr std::size_t kMaxErrorBytes = 64 * 1024;
constexpr std::size_t kMaxWholeBytes = 2 * 1024 * 1024;

curl::Post post_of(const Config& config, const Json& body) {
  std::string base = config.openai_base_url;
  while (base.ends_with('/')) base.pop_back();
  std::vector<std::string> headers = {"Content-Type: application/json",
                                      "Accept: text/event-stream, application/json"};
  if (!config.openai_api_key.empty())
    headers.push_back("Authorization: Bearer " + config.openai_api_key.reveal());
  return {base + "/chat/completions", std::move(headers), dump_json(body), config.llm_connect_timeout_s};
}

CallResult ended(CallStatus status, std::string detail) {
  CallResult result;
  result.status = status;
  result.detail = std::move(detail);
  return result;
}

}  // namespace

std::string_view name_of(CallStatus status) {
  switch (status) {
    case CallStatus::kComplete:
      return "complete";
    case CallStatus::kUnavailable:
      return "unavailable";
    case CallStatus::kQuota:
      return "quota";
    case CallStatus::kRejected:
      return "rejected";
    case CallStatus::kModelNotFound:
      return "model_not_found";
    case CallStatus::kUnsupportedParameter:
      return "unsupported_parameter";
    case CallStatus::kRefused:
      return "refused";
    case CallStatus::kTruncated:
      return "truncated";
    case CallStatus::kTimeout:
      return "timeout";
    case CallStatus::kCancelled:
      return "cancelled";
  }
  throw Error(ErrorKind::kBug, "a call's status has no name");
}

struct ChatCall::Impl {
  const Config& config;
  std::function<bool()> should_stop;
  std::unique_ptr<curl::Transfer> transfer;
  DataLines lines;
  Completion completion;
  std::string unread;             ///< of the body: an error's, a whole completion's or not yet known whose
  std::optional<bool> streams;    ///< what the answer of an accepted call is; nothing: cannot be told yet
  std::deque<std::string> texts;  ///< what next_text() has not returned yet
  bool has_text = false;
  bool is_behind = false;         ///< more events may be here already than have been taken
  bool is_transfer_over = false;  ///< nothing more will come
  bool has_ended = false;
  CallResult result;
  SteadyTime last_progress = steady_now();

  Impl(const Config& given, const Json& body, std::function<bool()> stop)
      : config(given),
        should_stop(std::move(stop)),
        transfer(std::make_unique<curl::Transfer>(post_of(given, body))) {}

  /// Ends the call and its connection; usage and model are what the answer has told so far.
  void end(CallResult how) {
    if (how.model.empty()) {
      const CallResult so_far = completion.result("");
      how.usage = so_far.usage;
      how.model = so_far.model;
    }
    how.may_be_billed = may_be_billed();
    result = std::move(how);
    has_ended = true;
    transfer.reset();
  }

  bool may_be_billed() const {
    const long status = transfer->status();
    return status == 200 || (status < 200 && transfer->has_sent());
  }

  bool is_accepted() const { return transfer->status() == 200; }

  /// Proxies lose or change the media type of a stream: under any other the body's beginning decides.
  bool is_stream() {
    static const RE2 is_stream_type(R"((?i)text/event-stream\s*(;.*)?)");
    if (!streams && RE2::FullMatch(transfer->header("content-type"), is_stream_type)) streams = true;
    if (!streams) streams = begins_like_stream(unread);
    return streams.value_or(false);
  }

  bool is_encoded() const {
    static const RE2 is_plain("(?i)(identity)?");
    return !RE2::FullMatch(transfer->header("content-encoding"), is_plain);
  }

  void pull() {
    if (should_stop()) return end(ended(CallStatus::kCancelled, "the call was given up"));
    if (is_behind) {
      take_stream("", &Completion::take_chunk);
    } else {
      std::string bytes;
      is_transfer_over = transfer->pull(kLongestPull, bytes) == curl::Transfer::State::kEnded;
      take(bytes);
    }
    if (has_ended) return;  // the connection is gone: nothing below may ask it
    if (completion.has_failed() || completion.is_done()) return end(completion.result(""));
    if (is_behind) return;
    if (is_transfer_over) return end_with_transfer();
    watch_silence();
  }

  void take(const std::string& bytes) {
    unread += bytes;
    if (is_accepted() && is_encoded()) {
      return end(
          ended(CallStatus::kRejected,
                fmt::format("the LLM provider's answer has a Content-Encoding that was not asked for{}",
                            in_brackets(transfer->header("content-encoding")))));
    }
    if (is_accepted() && is_stream()) return take_stream(std::exchange(unread, {}), &Completion::take_chunk);
    if (unread.size() > kMaxWholeBytes)
      end(ended(CallStatus::kUnavailable, "the LLM provider's answer is longer than 2 MiB"));
  }

  /// A busy machine may have gathered seconds of work: after some of it the caller is asked again whether to
  /// stop.
  void take_stream(std::string_view bytes, std::string (Completion::*take_data)(std::string_view)) {
    try {
      lines.push(bytes);
      int taken = 0;
      for (; taken < kMostEventsAtOnce; ++taken) {
        const auto data = lines.next();
        if (!data) break;
        last_progress = steady_now();
        add_text((completion.*take_data)(*data));
      }
      is_behind = taken == kMostEventsAtOnce;
    } catch (const Error& error) {  // it is too long to be an answer
      end(ended(CallStatus::kUnavailable, error.what()));
    }
  }

  void add_text(std::string text) {
    if (text.empty()) return;
    has_text = true;
    texts.push_back(std::move(text));
  }

  void end_with_transfer() {
    const long status = transfer->status();
    const std::string failure = transfer->failure();
    if (status == 0)
      return end(ended(CallStatus::kUnavailable, "no answer from the LLM provider: " + failure));
    if (status != 200) {
      const auto header = [this](std::string_view name) { return transfer->header(name); };
      return end(judge_http_error(status, header, unread.substr(0, kMaxErrorBytes), wall_now()));
    }
    if (is_stream()) {
      take_stream("\n\n", &Completion::take_last);
    } else if (failure.empty()) {
      add_text(completion.take_whole(unread));
    }
    if (!has_ended) end(completion.result(failure));
  }

  void watch_silence() {
    const milliseconds limit = has_text ? config.llm_idle_timeout_s : config.llm_first_byte_timeout_s;
    if (steady_now() - last_progress < limit) return;
    end(ended(CallStatus::kTimeout,
              fmt::format("the LLM was silent for {} s {}",
                          std::chrono::duration_cast<std::chrono::seconds>(limit).count(),
                          has_text ? "in the middle of its answer" : "before its answer")));
  }
};

ChatCall::ChatCall(const Config& config, const Json& body, std::function<bool()> should_stop)
    : impl_(std::make_unique<Impl>(config, body, std::move(should_stop))) {}

ChatCall::~ChatCall() = default;

std::optional<std::string> ChatCall::next_text() {
  while (impl_->texts.empty() && !impl_->has_ended) impl_->pull();
  if (impl_->texts.empty()) return std::nullopt;
  std::string text = std::move(impl_->texts.front());
  impl_->texts.pop_front();
  return text;
}

const CallResult& ChatCall::result() const { return impl_->result; }

}  // namespace gp::llm
