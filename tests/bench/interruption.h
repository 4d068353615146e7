#pragma once

namespace bench {

/// From here on SIGINT and SIGTERM end the bench in order, with everything that it has started, instead of at
/// once. Called before any thread is made.
void catch_interruptions();

bool is_interrupted() noexcept;

/// Throws std::runtime_error where a signal has come. What may take long calls it again and again.
void throw_if_interrupted();

}  // namespace bench
