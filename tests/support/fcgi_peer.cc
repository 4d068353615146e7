#include "tests/support/fcgi_peer.h"

#include <cstring>
#include <stdexcept>

#include <fastcgi.h>
#include <sys/socket.h>
#include <sys/un.h>

namespace support {
namespace {

void append_record(std::string& out, int type, const std::string& content) {
  const auto size = content.size();
  for (const int byte :
       {FCGI_VERSION_1, type, 0, 1, static_cast<int>(size >> 8), static_cast<int>(size & 0xff), 0, 0}) {
    out += static_cast<char>(byte);
  }
  out += content;
}

void append_length(std::string& out, std::size_t size) {
  if (size < 128) {
    out += static_cast<char>(size);
    return;
  }
  for (const int shift : {24, 16, 8, 0})
    out += static_cast<char>((size >> shift & 0xff) | (shift == 24 ? 0x80 : 0));
}

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  return address;
}

gp::UniqueFd socket_fd() { return gp::UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)); }

}  // namespace

std::string fcgi_request(const std::map<std::string, std::string>& params, const std::string& body) {
  std::string out;
  append_record(out, FCGI_BEGIN_REQUEST, std::string("\0\1\0\0\0\0\0\0", 8));
  std::string pairs;
  for (const auto& [name, value] : params) {
    append_length(pairs, name.size());
    append_length(pairs, value.size());
    pairs += name + value;
  }
  append_record(out, FCGI_PARAMS, pairs);
  append_record(out, FCGI_PARAMS, "");
  for (std::size_t at = 0; at < body.size(); at += 32'768)
    append_record(out, FCGI_STDIN, body.substr(at, 32'768));
  append_record(out, FCGI_STDIN, "");
  return out;
}

FcgiAnswer parse_fcgi(const std::string& bytes) {
  FcgiAnswer answer;
  const auto byte = [&](std::size_t i) {
    return static_cast<unsigned>(static_cast<unsigned char>(bytes[i]));
  };
  for (std::size_t at = 0; at + FCGI_HEADER_LEN <= bytes.size();) {
    if (byte(at) != FCGI_VERSION_1) throw std::runtime_error("no FastCGI record");
    const std::size_t content = byte(at + 4) << 8 | byte(at + 5);
    if (at + FCGI_HEADER_LEN + content + byte(at + 6) > bytes.size()) break;
    if (byte(at + 1) == FCGI_STDOUT) answer.text += bytes.substr(at + FCGI_HEADER_LEN, content);
    if (byte(at + 1) == FCGI_END_REQUEST) answer.is_ended = true;
    at += FCGI_HEADER_LEN + content + byte(at + 6);
  }
  return answer;
}

gp::UniqueFd listen_at(const std::string& path) {
  gp::UniqueFd fd = socket_fd();
  const auto address = address_of(path);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 64) != 0) {
    throw std::runtime_error("cannot listen at " + path);
  }
  return fd;
}

gp::UniqueFd connect_to(const std::string& path) {
  gp::UniqueFd fd = socket_fd();
  const auto address = address_of(path);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error("cannot connect to " + path);
  }
  return fd;
}

void send_all(int fd, const std::string& bytes) {
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t sent = ::send(fd, bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (sent <= 0) throw std::runtime_error("the peer takes no more");
    at += static_cast<std::size_t>(sent);
  }
}

}  // namespace support
