#include "core/fcgi/records.h"

#include <algorithm>
#include <array>

#include <fastcgi.h>

namespace gp::fcgi {
namespace {

constexpr std::size_t kMaxContent = 65528;  ///< the largest multiple of 8 below 65,536: no padding is needed
constexpr unsigned char kRequestId = 1;

void append_header(std::string& out, int type, std::size_t length) {
  const std::array<unsigned char, FCGI_HEADER_LEN> header = {FCGI_VERSION_1,
                                                             static_cast<unsigned char>(type),
                                                             0,
                                                             kRequestId,
                                                             static_cast<unsigned char>(length >> 8),
                                                             static_cast<unsigned char>(length & 0xff),
                                                             0,
                                                             0};
  out.append(header.begin(), header.end());
}

}  // namespace

void append_stdout(std::string& out, std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, kMaxContent);
    append_header(out, FCGI_STDOUT, piece.size());
    out += piece;
    bytes.remove_prefix(piece.size());
  }
}

void append_end(std::string& out) {
  append_header(out, FCGI_STDOUT, 0);
  append_header(out, FCGI_END_REQUEST, sizeof(FCGI_EndRequestBody));
  out.append(sizeof(FCGI_EndRequestBody), '\0');  // application status 0, FCGI_REQUEST_COMPLETE
}

}  // namespace gp::fcgi
