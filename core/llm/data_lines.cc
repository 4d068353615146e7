#include "core/llm/data_lines.h"

#include <utility>

#include "core/base/error.h"

namespace gp::llm {
namespace {

constexpr std::size_t kMaxLineBytes = 1 << 20;
constexpr std::size_t kMaxDataBytes = 4 << 20;  // of one event: many lines of data may join

}  // namespace

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
    if (line->empty() && has_data_) {
      has_data_ = false;
      return std::exchange(data_, {});
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
