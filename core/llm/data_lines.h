#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace gp::llm {

/// Whether a body that is not marked as text/event-stream begins like one: with one of its fields or a
/// comment. Nothing while too little of it has arrived to tell.
std::optional<bool> begins_like_stream(std::string_view body);

/// The `data` of each event of a text/event-stream that arrives in pieces cut anywhere: chat completions send
/// one line of data an event. Comments, other fields, a byte order mark and LF, CR or CRLF line ends are
/// taken as the standard says; an event whose data is blank is passed over, it only keeps a connection alive.
/// Pure; one thread.
class DataLines {
 public:
  /// Throws Error(kTooLarge) where one line is longer than 1 MiB.
  void push(std::string_view bytes);

  /// The next event's data, lines of one event joined by a line feed; in order of arrival. Throws
  /// Error(kTooLarge) where it is longer than 4 MiB.
  std::optional<std::string> next();

 private:
  std::optional<std::string> next_line();

  std::string bytes_;
  std::size_t at_ = 0;        ///< where in bytes_ the next line begins
  std::size_t searched_ = 0;  ///< up to where a line end has been looked for
  bool is_first_line_ = true;
  std::string data_;
  bool has_data_ = false;
};

}  // namespace gp::llm
