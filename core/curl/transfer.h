#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace gp::curl {

/// One HTTP POST. Redirects are not followed: a body with a teacher's words goes to the named server only.
struct Post {
  std::string url;                   ///< http or https
  std::vector<std::string> headers;  ///< "Name: value"
  std::string body;
  std::chrono::milliseconds connect_timeout{10'000};
};

/// One HTTP GET; redirects are not followed.
struct Get {
  std::string url;
  std::vector<std::string> headers;
  std::chrono::milliseconds connect_timeout{10'000};
};

/// A request whose answer is pulled as it arrives. It has no time limit of its own beyond the connection's:
/// the caller, who knows what counts as progress, stops pulling. Destroying it closes the connection at once.
/// It asks for a body that is not encoded, and decodes none. One thread; made after fork.
class Transfer {
 public:
  /// Begins at once; nothing is sent before the first pull. Throws Error(kBug) where libcurl refuses the
  /// options.
  explicit Transfer(const Post& post);
  explicit Transfer(const Get& get);
  ~Transfer();

  enum class State {
    kMore,   ///< there may be more
    kEnded,  ///< the answer is complete, or the transfer failed: failure() says which
  };

  /// Waits up to `wait` for the next bytes of the answer's body and appends them to `bytes`.
  State pull(std::chrono::milliseconds wait, std::string& bytes);

  /// Something of the request has been sent: the server may have acted on it.
  bool has_sent() const;

  /// The HTTP status; 0 while none has arrived.
  long status() const;
  /// The value of a header of the answer, empty where it has none. `name` in lower case.
  std::string header(std::string_view name) const;

  /// Why the transfer failed, in libcurl's words with its code ("CURLE 18: transfer closed with outstanding
  /// read data remaining"); empty where it ended well. Holds no header and no body.
  const std::string& failure() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// The moment an HTTP date names, in seconds since 1970; nothing where `text` is not a date.
std::optional<std::chrono::sys_seconds> parse_http_date(const std::string& text);

}  // namespace gp::curl
