// gp-bench-hello SOCKET PROCESSES: the least that a FastCGI service can do, in the usual way: libfcgi
// accepts, parses and writes, in so many processes. It answers every request as /health does, and one with
// ?bytes=<n> with a body of so many. The yardstick of the short answers.

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <fcgiapp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::string body_for(const char* query) {
  constexpr const char* kBytes = "bytes=";
  if (query == nullptr || std::strncmp(query, kBytes, std::strlen(kBytes)) != 0) return "{\"ok\":true}";
  return std::string(std::strtoul(query + std::strlen(kBytes), nullptr, 10), 'x');
}

[[noreturn]] void serve(int listen_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  FCGX_Request request;
  FCGX_InitRequest(&request, listen_fd, 0);
  while (FCGX_Accept_r(&request) == 0) {
    const std::string body = body_for(FCGX_GetParam("QUERY_STRING", request.envp));
    FCGX_PutS("Status: 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\r\n",
              request.out);
    FCGX_PutStr(body.data(), static_cast<int>(body.size()), request.out);
    FCGX_Finish_r(&request);
  }
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: gp-bench-hello SOCKET PROCESSES\n";
    return 64;
  }
  FCGX_Init();
  std::signal(SIGTERM, SIG_DFL);  // libfcgi would only stop accepting
  const int listen_fd = FCGX_OpenSocket(argv[1], 511);
  if (listen_fd < 0) return 1;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    if (::fork() == 0) serve(listen_fd);
  }
  while (::wait(nullptr) > 0) continue;
}
