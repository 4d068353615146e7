#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "core/base/clock.h"
#include "core/base/config.h"
#include "core/http/request.h"
#include "core/http/response.h"
#include "core/process/pool.h"

namespace gp::process {

struct ServeOptions {
  std::string methods;          ///< what Allow says: "GET, HEAD, OPTIONS"
  std::string allowed_origins;  ///< CORS_ALLOWED_ORIGINS
  std::int64_t body_limit_bytes = 0;
  std::int64_t max_requests = 0;  ///< then the child returns and is replaced
  /// What an answer need not wait for: called after one is sent, where no other connection waits, else after
  /// a later one, 2 ms after the last call at most. Must not throw. Null: nothing.
  std::function<void()> when_idle = {};
  std::size_t most_together = 16;  ///< serve_together: how many it reads before it answers the first of them
};

/// A request's answer. What it throws is answered as its problem.
using Handle = std::function<http::Response(const http::Request&)>;

/// The answer of a request that was begun together with others; called once, while the request is there.
using Answer = std::function<http::Response()>;

/// Begins requests that came together, or one alone: what a single visit to the database can do for all of
/// them. One answer for each, in their order. What it throws is answered as the problem of each of them.
using Begin = std::function<std::vector<Answer>(std::span<const http::Request* const>)>;

/// The options for a handler, from the settings.
ServeOptions serve_options(const Config& config, std::string methods);

/// The blocking loop of one child, one request at a time until it is told to stop or has served max_requests.
/// Returns 0. Where `handle` throws Error(kSchema), its request is answered and the error thrown on: the
/// child ends, and with it the pool.
int serve(const Child& child, const ServeOptions& options, const Handle& handle);

/// The same with what waits together: `begin` gets those that serve() would call `handle` for, and what an
/// answer throws is what `handle` would. The pool's processes leave what comes to the one that is at it
/// (Turn).
int serve_together(const Child& child, const ServeOptions& options, const Begin& begin);

/// What serve() does with one request, without a socket: answers OPTIONS, refuses other methods (405) and
/// bodies that are too large (413), calls `handle`, turns an exception into its problem (and reports it where
/// it is ours), adds X-Request-ID and the CORS headers, counts the answer by its class of status, and
/// observes the time since `begun` where `handle` was called.
http::Response respond(const http::Request& request, const ServeOptions& options, const Handle& handle,
                       SteadyTime begun = steady_now());

}  // namespace gp::process
