#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace gp {

/// A string that names one kind of thing; ids of different kinds do not convert into each other.
template <class Tag>
class Id {
 public:
  Id() = default;
  explicit Id(std::string value) : value_(std::move(value)) {}

  const std::string& str() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }

  friend auto operator<=>(const Id&, const Id&) = default;

 private:
  std::string value_;
};

using RunId = Id<struct RunTag>;  ///< a lower-case UUID v4; whoever knows it may read the run's stream
using ProjectId = Id<struct ProjectTag>;  ///< the calling app's name for a project, 1-128 characters
using ChatId = Id<struct ChatTag>;        ///< the calling app's name for a conversation, 1-128 characters
using LeaseToken = Id<struct LeaseTag>;   ///< a UUID v4, new at every take: the fence of a run's writer

/// A random UUID v4 from the kernel's generator (getrandom(2)): no state in this process, so safe after fork.
std::string make_uuid();

/// The run id in its canonical lower-case form, or nothing where `text` is not a UUID (any version, RFC 9562
/// layout).
std::optional<RunId> parse_run_id(std::string_view text);

/// `text` if it may stand for a request in logs and headers (1-64 of A-Z a-z 0-9 . _ -), else a fresh one.
std::string request_id_or_new(std::string_view text);

}  // namespace gp

template <class Tag>
struct std::hash<gp::Id<Tag>> {
  std::size_t operator()(const gp::Id<Tag>& id) const noexcept { return std::hash<std::string>{}(id.str()); }
};
