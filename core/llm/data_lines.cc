#include "core/llm/data_lines.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/base/error.h"

namespace gp::llm {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kMaxDataBytes = 4 << 20;  // of one event: many lines of data may join

bool is_blank(std::string_view text) { return text.find_first_not_of(" \t\r\n") == std::string_view::npos; }

}  // namespace

std::optional<bool> begins_like_stream(std::string_view body) {
  constexpr std::array<std::string_view, 5> kBeginnings = {"data:", ":", "event:", "id:", "retry:"};
  constexpr std::string_view kPassedOver = " \t\r\n\xEF\xBB\xBF";  // white space, a byte order mark
  body.remove_prefix(std::min(body.find_first_not_of(kPassedOver), body.size()));
  if (std::ranges::any_of(kBeginnings, [&](auto beginning) { return body.starts_with(beginning); }))
    return true;
  if (std::ranges::any_of(kBeginnings, [&](auto beginning) { return beginning.starts_with(body); }))
    return std::nullopt;
  return false;
}

void DataLines::push(std::string_view bytes) {
  bytes_.erase(0, at_);
  searched_ -= at_;
  at_ = 0;
  bytes_ += bytes;
  if (bytes_.size() > kMaxLineBytes + bytes.size()) {
    throw Error(ErrorKind::kTooLarge, "a line of the provider's stream is longer than 1 MiB");
  }
}

/// Without its line end. A CR at the end of what has arrived may be half of a CRLF: it waits.
std::optional<std::string> DataLines::next_line() {
  const auto end = bytes_.find_first_of("\r\n", searched_);
  if (end == std::string::npos || (bytes_[end] == '\r' && end + 1 == bytes_.size())) {
    searched_ = end == std::string::npos ? bytes_.size() : end;
    return std::nullopt;
  }
  std::string line = bytes_.substr(at_, end - at_);
  at_ = searched_ = end + (bytes_[end] == '\r' && bytes_[end + 1] == '\n' ? 2 : 1);
  if (std::exchange(is_first_line_, false) && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
  return line;
}

std::optional<std::string> DataLines::next() {
  while (const auto line = next_line()) {
    if (line->empty() && std::exchange(has_data_, false)) {
      std::string data = std::exchange(data_, {});
      if (!is_blank(data)) return data;
      continue;
    }
    constexpr std::string_view kField = "data:";
    if (!line->starts_with(kField)) continue;
    std::string_view value = std::string_view(*line).substr(kField.size());
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (data_.size() + value.size() >= kMaxDataBytes)
      throw Error(ErrorKind::kTooLarge, "an event of the provider's stream is longer than 4 MiB");
    if (std::exchange(has_data_, true)) data_ += '\n';
    data_ += value;
  }
  return std::nullopt;
}

}  // namespace gp::llm
