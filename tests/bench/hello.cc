// gp-bench-hello SOCKET PROCESSES: the least that a FastCGI service can do, in the usual way: libfcgi
// accepts, parses and writes, in so many processes. It answers every request as /health does. The yardstick
// of the short answers.

#include <csignal>
#include <cstdlib>
#include <iostream>

#include <fcgiapp.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

[[noreturn]] void serve(int listen_fd) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  FCGX_Request request;
  FCGX_InitRequest(&request, listen_fd, 0);
  while (FCGX_Accept_r(&request) == 0) {
    FCGX_PutS(
        "Status: 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\n\r\n{\"ok\":true}",
        request.out);
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
