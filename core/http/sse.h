#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

namespace gp::http::sse {

/// One event of a stream as bytes: LF only, an id on every event, data on one line (WHATWG HTML 9.2).
/// `data` must hold no line break; dump_json never writes one. Throws Error(kBug) where it does.
std::string event(std::int64_t id, std::string_view name, std::string_view data);

/// The `retry:` line. No empty line after it: it is part of the first event's block. In a block of its own a
/// widely used client fires an empty message.
std::string retry(std::chrono::milliseconds time);

/// A comment with ONE line feed: with a blank line after it the same client fires an empty message.
std::string comment(std::string_view text);

}  // namespace gp::http::sse
