#pragma once

#include <map>
#include <string>

#include "core/base/unique_fd.h"

namespace support {

/// A request as nginx sends it: FCGI_BEGIN_REQUEST, the parameters, the body, each stream closed by an empty
/// record.
std::string fcgi_request(const std::map<std::string, std::string>& params, const std::string& body = {});

/// What a responder has sent so far: the content of its FCGI_STDOUT records, and whether FCGI_END_REQUEST has
/// come.
struct FcgiAnswer {
  std::string text;
  bool is_ended = false;
};
/// Throws std::runtime_error where `bytes` are no whole FastCGI records (a part of one at the end is left
/// out).
FcgiAnswer parse_fcgi(const std::string& bytes);

/// A listening unix socket in a folder of the test, and connections to it.
gp::UniqueFd listen_at(const std::string& path);
gp::UniqueFd connect_to(const std::string& path);

void send_all(int fd, const std::string& bytes);

}  // namespace support
