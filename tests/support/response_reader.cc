#include "tests/support/response_reader.h"

#include <algorithm>
#include <charconv>
#include <utility>

namespace support {
namespace {

constexpr std::size_t kHeadMax = 65536;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

bool equals(std::string_view text, std::string_view lower_case) {
  return std::ranges::equal(text, lower_case, {}, lower);
}

bool contains(std::string_view text, std::string_view lower_case) {
  return !std::ranges::search(text, lower_case, {}, lower).empty();
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\r'))
    text.remove_suffix(1);
  return text;
}

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char letter = lower(c);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

}  // namespace

std::string_view ResponseReader::take(std::string_view& bytes) {
  while (!bytes.empty()) {
    switch (part_) {
      case Part::kHead:
        take_head(bytes);
        break;
      case Part::kSize:
        take_size(bytes.front());
        bytes.remove_prefix(1);
        break;
      case Part::kChunk:
      case Part::kCounted:
        return take_counted(bytes);
      case Part::kChunkEnd:
        if (bytes.front() == '\n') part_ = Part::kSize;
        bytes.remove_prefix(1);
        break;
      case Part::kTrailer:
        take_trailer(bytes.front());
        bytes.remove_prefix(1);
        break;
      case Part::kRest:
        return std::exchange(bytes, {});
      case Part::kDone:
      case Part::kBroken:
        return {};
    }
  }
  return {};
}

bool ResponseReader::end() {
  if (part_ == Part::kRest) part_ = Part::kDone;
  return part_ == Part::kDone;
}

void ResponseReader::take_head(std::string_view& bytes) {
  const std::size_t before = head_.size();
  head_ += bytes;
  const auto end = head_.find("\r\n\r\n", before < 3 ? 0 : before - 3);
  if (end == std::string::npos) {
    bytes = {};
    if (head_.size() > kHeadMax) part_ = Part::kBroken;
    return;
  }
  bytes.remove_prefix(end + 4 - before);
  head_.resize(end + 2);
  read_head();
  std::string().swap(head_);
}

void ResponseReader::read_head() {
  std::string_view rest = head_;
  const auto line_end = rest.find("\r\n");
  const std::string_view line = rest.substr(0, line_end);
  rest.remove_prefix(line_end + 2);
  if (!line.starts_with("HTTP/1.") || line.size() < 12) {
    part_ = Part::kBroken;
    return;
  }
  std::from_chars(line.data() + 9, line.data() + 12, status_);
  is_kept_open_ = line.starts_with("HTTP/1.1");
  while (!rest.empty()) {
    const auto end = rest.find("\r\n");
    read_header(rest.substr(0, end));
    rest.remove_prefix(end + 2);
  }
  if (status_ == 204 || status_ == 304) {
    part_ = Part::kDone;
  } else if (is_chunked_) {
    left_ = 0;
    part_ = Part::kSize;
  } else if (is_counted_) {
    part_ = left_ > 0 ? Part::kCounted : Part::kDone;
  } else {
    part_ = Part::kRest;
    is_kept_open_ = false;
  }
}

void ResponseReader::read_header(std::string_view line) {
  const auto colon = std::min(line.find(':'), line.size());
  const std::string_view name = line.substr(0, colon);
  const std::string_view value = trimmed(line.substr(std::min(colon + 1, line.size())));
  if (equals(name, "transfer-encoding")) is_chunked_ = contains(value, "chunked");
  if (equals(name, "content-type")) is_event_stream_ = contains(value, "text/event-stream");
  if (equals(name, "connection") && contains(value, "close")) is_kept_open_ = false;
  if (equals(name, "content-length")) {
    is_counted_ = std::from_chars(value.data(), value.data() + value.size(), left_).ec == std::errc();
  }
}

void ResponseReader::take_size(char byte) {
  if (byte == '\n') {
    part_ = left_ > 0 ? Part::kChunk : Part::kTrailer;
    is_in_extension_ = false;
    is_line_empty_ = true;
    return;
  }
  const int value = digit(byte);
  if (is_in_extension_ || value < 0) {
    if (!is_in_extension_ && byte != ';' && byte != '\r' && byte != ' ') part_ = Part::kBroken;
    is_in_extension_ = true;
    return;
  }
  left_ = left_ * 16 + static_cast<std::uint64_t>(value);
  if (left_ > (std::uint64_t{1} << 40)) part_ = Part::kBroken;
}

void ResponseReader::take_trailer(char byte) {
  if (byte == '\n') {
    if (is_line_empty_) part_ = Part::kDone;
    is_line_empty_ = true;
  } else if (byte != '\r') {
    is_line_empty_ = false;
  }
}

std::string_view ResponseReader::take_counted(std::string_view& bytes) {
  const std::string_view piece = bytes.substr(0, std::min<std::uint64_t>(left_, bytes.size()));
  bytes.remove_prefix(piece.size());
  left_ -= piece.size();
  if (left_ == 0) part_ = part_ == Part::kChunk ? Part::kChunkEnd : Part::kDone;
  return piece;
}

}  // namespace support
