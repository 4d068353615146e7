#pragma once

#include <string>
#include <string_view>

namespace gp::fcgi {

// FastCGI records as bytes, for a connection that an event loop owns (FastCGI specification 1.0, sections 3.3
// and 5.3). nginx numbers every request 1 and never multiplexes, so one encoding can be shared by all
// streams.

/// Appends `bytes` as FCGI_STDOUT records of at most 65,528 bytes. Nothing for no bytes: an empty one would
/// end the stream.
void append_stdout(std::string& out, std::string_view bytes);

/// Appends the end of the response: an empty FCGI_STDOUT and FCGI_END_REQUEST.
void append_end(std::string& out);

}  // namespace gp::fcgi
