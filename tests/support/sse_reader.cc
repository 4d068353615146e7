#include "tests/support/sse_reader.h"

#include <algorithm>
#include <charconv>
#include <cstring>

namespace support {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

template <class Number>
std::optional<Number> parse_number(std::string_view text) {
  Number number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// Where the line ends; npos where its end is not in `bytes`.
std::size_t find_line_end(std::string_view bytes) {
  const auto feed = bytes.find('\n');
  const auto carriage_return = bytes.substr(0, feed).find('\r');
  return carriage_return == std::string_view::npos ? feed : carriage_return;
}

}  // namespace

void SseReader::restart() {
  line_.clear();
  begin_event();
  is_after_cr_ = false;
  is_at_start_ = true;
}

void SseReader::begin_event() {
  data_view_ = {};
  id_.reset();
  name_size_ = 0;
  has_data_ = is_data_copied_ = is_done_ = false;
}

bool SseReader::next(std::string_view& bytes) {
  if (is_done_) begin_event();
  while (const auto line = next_line(bytes)) {
    const bool is_complete = take_line(*line);
    if (is_complete) return is_done_ = true;
  }
  if (has_data_ && !is_data_copied_) copy_data();
  return false;
}

std::optional<std::string_view> SseReader::next_line(std::string_view& bytes) {
  if (is_line_copied_) line_.clear();
  is_line_copied_ = false;
  if (is_after_cr_ && !bytes.empty()) {
    if (bytes.front() == '\n') bytes.remove_prefix(1);
    is_after_cr_ = false;
  }
  const auto end = find_line_end(bytes);
  if (end == std::string_view::npos) {
    line_ += bytes;
    bytes = {};
    return std::nullopt;
  }
  std::string_view line = bytes.substr(0, end);
  is_after_cr_ = bytes[end] == '\r';
  bytes.remove_prefix(end + 1);
  if (!line_.empty()) {
    line_ += line;
    line = line_;
    is_line_copied_ = true;
  }
  if (is_at_start_ && line.starts_with(kByteOrderMark)) line.remove_prefix(kByteOrderMark.size());
  is_at_start_ = false;
  return line;
}

/// True where the line ends an event.
bool SseReader::take_line(std::string_view line) {
  if (line.empty()) {
    if (has_data_) return true;
    name_size_ = 0;
    return false;
  }
  const auto colon = line.find(':');
  if (colon == 0) {
    ++comments_;
    return false;
  }
  std::string_view value = colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
  if (value.starts_with(' ')) value.remove_prefix(1);
  take_field(line.substr(0, colon), value);
  return false;
}

void SseReader::take_field(std::string_view field, std::string_view value) {
  if (field == "data") {
    take_data(value);
  } else if (field == "id") {
    id_ = parse_number<std::int64_t>(value);
  } else if (field == "event") {
    name_size_ = static_cast<std::uint8_t>(std::min(value.size(), sizeof name_));
    std::memcpy(name_, value.data(), name_size_);
  } else if (field == "retry") {
    if (const auto time = parse_number<std::uint32_t>(value)) retry_ = std::chrono::milliseconds(*time);
  }
}

void SseReader::take_data(std::string_view value) {
  if (!has_data_) {
    has_data_ = true;
    data_view_ = value;
    if (is_line_copied_) copy_data();
    return;
  }
  if (!is_data_copied_) copy_data();
  data_ += '\n';
  data_ += value;
}

void SseReader::copy_data() {
  data_.assign(data_view_);
  is_data_copied_ = true;
}

}  // namespace support
