#pragma once

namespace gp::ctl {

/// Keeps what a command opens from being given the number of a standard stream that its caller has closed:
/// what is printed would go into a file or a connection. Printing to such a stream fails instead. Before
/// anything else is opened.
void occupy_closed_streams();

/// Writes out what was printed so far. Throws std::system_error where it, or any of it before, could not be
/// written, as fmt::print does: a list that is cut off must not look like a complete one.
void flush_output();

/// Has anything of what was printed been lost?
bool is_output_lost();

}  // namespace gp::ctl
