#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace support {

/// One HTTP/1.1 response read as it arrives, in pieces of any size (RFC 9112): the head, then the body, which
/// is chunked, counted by Content-Length, or lasts until the connection ends. The body is handed on in the
/// caller's own memory. One response, one thread.
class ResponseReader {
 public:
  /// Reads on in `bytes`, removes what it has read, and returns the next piece of the body; empty where all
  /// is read, the response is done, or it is broken.
  std::string_view take(std::string_view& bytes);

  /// The connection has ended. True: the response was whole. False: it was cut.
  bool end();

  bool has_head() const noexcept { return part_ > Part::kHead; }
  bool is_done() const noexcept { return part_ == Part::kDone; }
  bool is_broken() const noexcept { return part_ == Part::kBroken; }  ///< this is no HTTP

  int status() const noexcept { return status_; }
  bool is_event_stream() const noexcept { return is_event_stream_; }
  bool is_kept_open() const noexcept { return is_kept_open_; }  ///< the connection serves another request

 private:
  enum class Part : std::uint8_t {
    kHead,
    kSize,
    kChunk,
    kChunkEnd,
    kTrailer,
    kCounted,
    kRest,
    kDone,
    kBroken
  };

  void take_head(std::string_view& bytes);
  void read_head();
  void read_header(std::string_view line);
  void take_size(char byte);
  void take_trailer(char byte);
  std::string_view take_counted(std::string_view& bytes);

  std::string head_;        ///< until it is whole
  std::uint64_t left_ = 0;  ///< bytes of the chunk, or of the counted body, that have not come
  std::uint16_t status_ = 0;
  Part part_ = Part::kHead;
  bool is_chunked_ = false;
  bool is_counted_ = false;
  bool is_event_stream_ = false;
  bool is_kept_open_ = true;
  bool is_in_extension_ = false;  ///< behind the digits of a chunk's size
  bool is_line_empty_ = true;     ///< of the trailer's line: an empty one ends the response
};

}  // namespace support
