#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace support {

/// An event stream read as it arrives, in pieces of any size, by the rules of WHATWG HTML 9.2. It copies only
/// what a piece leaves unfinished, so a thousand of them cost little. One stream, one thread.
class SseReader {
 public:
  /// Reads on in `bytes` and removes what it has read. True: it stopped behind a complete event, which the
  /// accessors describe until the next call (their views point into `bytes`' memory or into this object).
  /// False: all is read.
  bool next(std::string_view& bytes);

  /// A new response begins: what the last one left unfinished is forgotten.
  void restart();

  std::string_view name() const noexcept { return {name_, name_size_}; }  ///< cut after 31 bytes
  std::string_view data() const noexcept { return is_data_copied_ ? std::string_view(data_) : data_view_; }

  /// What the event's own id: line says; nothing where it has none or it is no whole number.
  std::optional<std::int64_t> id() const noexcept { return id_; }

  /// The server's last retry: line, of any response so far.
  std::optional<std::chrono::milliseconds> retry() const noexcept { return retry_; }
  std::uint64_t comments() const noexcept { return comments_; }

 private:
  std::optional<std::string_view> next_line(std::string_view& bytes);
  bool take_line(std::string_view line);
  void take_field(std::string_view field, std::string_view value);
  void take_data(std::string_view value);
  void copy_data();
  void begin_event();

  std::string line_;  ///< the part of a line that the last piece ended with
  std::string data_;
  std::string_view data_view_;
  std::optional<std::int64_t> id_;
  std::optional<std::chrono::milliseconds> retry_;
  std::uint64_t comments_ = 0;
  char name_[31] = {};
  std::uint8_t name_size_ = 0;
  bool has_data_ = false;
  bool is_data_copied_ = false;  ///< the data is in data_, else where data_view_ points
  bool is_line_copied_ = false;  ///< the line being taken lies in line_
  bool is_done_ = false;         ///< the accessors describe a complete event: the next call begins another
  bool is_after_cr_ = false;     ///< a line feed that comes now belongs to the line before
  bool is_at_start_ = true;      ///< a byte order mark may come
};

}  // namespace support
