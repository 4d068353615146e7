// gp-bench-hello SOCKET PROCESSES DATABASE_URL SELECT: the least that a FastCGI service can do, in the usual
// way: libfcgi accepts, parses and writes, in so many processes. It answers every request as /health does,
// one with ?bytes=<n> with a body of so many, and one with ?select once PostgreSQL has answered SELECT, which
// is prepared, over a session that each process has. The yardstick of the short answers.

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>

#include <fcgiapp.h>
#include <libpq-fe.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace {

std::string body_for(const char* query) {
  constexpr const char* kBytes = "bytes=";
  if (query == nullptr || std::strncmp(query, kBytes, std::strlen(kBytes)) != 0) return "{\"ok\":true}";
  return std::string(std::strtoul(query + std::strlen(kBytes), nullptr, 10), 'x');
}

constexpr const char* kStatement = "hello";

/// A session in which `select` is prepared; ends the process where there is none.
PGconn* connect(const char* url, const char* select) {
  PGconn* session = PQconnectdb(url);
  PGresult* prepared = PQprepare(session, kStatement, select, 0, nullptr);
  if (PQresultStatus(prepared) != PGRES_COMMAND_OK) {
    std::cerr << PQerrorMessage(session);
    std::_Exit(1);
  }
  PQclear(prepared);
  return session;
}

/// True where there is exactly one row, as the service has.
bool ask(PGconn* session) {
  PGresult* rows = PQexecPrepared(session, kStatement, 0, nullptr, nullptr, nullptr, 0);
  const bool is_one = PQresultStatus(rows) == PGRES_TUPLES_OK && PQntuples(rows) == 1;
  PQclear(rows);
  return is_one;
}

[[noreturn]] void serve(int listen_fd, const char* database_url, const char* select) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  PGconn* session = connect(database_url, select);
  FCGX_Request request;
  FCGX_InitRequest(&request, listen_fd, 0);
  while (FCGX_Accept_r(&request) == 0) {
    const char* query = FCGX_GetParam("QUERY_STRING", request.envp);
    const bool is_select = query != nullptr && std::strcmp(query, "select") == 0;
    const std::string body = body_for(query);
    FCGX_PutS(is_select && !ask(session) ? "Status: 500 Error\r\n" : "Status: 200 OK\r\n", request.out);
    FCGX_PutS("Content-Type: application/json\r\nCache-Control: no-store\r\n\r\n", request.out);
    FCGX_PutStr(body.data(), static_cast<int>(body.size()), request.out);
    FCGX_Finish_r(&request);
  }
  std::_Exit(0);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 5) {
    std::cerr << "usage: gp-bench-hello SOCKET PROCESSES DATABASE_URL SELECT\n";
    return 64;
  }
  FCGX_Init();
  std::signal(SIGTERM, SIG_DFL);  // libfcgi would only stop accepting
  const int listen_fd = FCGX_OpenSocket(argv[1], 511);
  if (listen_fd < 0) return 1;
  for (int i = 0; i < std::atoi(argv[2]); ++i) {
    if (::fork() == 0) serve(listen_fd, argv[3], argv[4]);
  }
  while (::wait(nullptr) > 0) continue;
}
