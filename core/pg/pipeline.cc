// Session::run_together: libpq's pipeline mode. Everything up to one synchronisation point is sent at once;
// the server commits there, and after a failure skips what is left before it.

#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>

#include <libpq-fe.h>
#include <poll.h>

#include "core/base/error.h"
#include "core/pg/session_impl.h"

namespace gp::pg {
namespace {

/// Pipeline mode, from construction to destruction. Non-blocking too: libpq then takes in answers while it is
/// still sending, else both sides could wait for each other with full buffers.
class Pipeline {
 public:
  explicit Pipeline(PGconn* conn) : conn_(conn) {
    PQsetnonblocking(conn_, 1);
    PQenterPipelineMode(conn_);
  }
  ~Pipeline() {
    PQsetnonblocking(conn_, 0);
    PQexitPipelineMode(conn_);
  }
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // A failure to send leaves the connection broken, which the answers will show.
  void send(const Call& call, bool is_prepared) {
    const WireCall wire(call);
    if (is_prepared) {
      PQsendQueryPrepared(conn_, wire.name.c_str(), wire.count(), wire.values.data(), nullptr, nullptr, 0);
    } else {
      PQsendQueryParams(conn_, wire.sql.c_str(), wire.count(), nullptr, wire.values.data(), nullptr, nullptr,
                        0);
    }
  }

  void send_all() {
    PQpipelineSync(conn_);
    while (PQflush(conn_) == 1) {
      pollfd entry{PQsocket(conn_), POLLIN | POLLOUT, 0};
      ::poll(&entry, 1, -1);
      if ((entry.revents & POLLIN) != 0 && PQconsumeInput(conn_) == 0) return;
    }
  }

  /// Every answer before the synchronisation point; fewer where the connection broke, one more where the
  /// commit itself failed.
  template <class Wait>
  std::vector<ResultPtr> receive(const Wait& wait) {
    std::vector<ResultPtr> answers;
    // One null ends each statement's answers; a second one in a row says that there is nothing else.
    int nulls = 0;
    while (nulls < 2) {
      wait();
      ResultPtr answer(PQgetResult(conn_));
      if (PQresultStatus(answer.get()) == PGRES_PIPELINE_SYNC) break;
      nulls = answer ? 0 : nulls + 1;
      if (answer) answers.push_back(std::move(answer));
    }
    return answers;
  }

 private:
  PGconn* conn_;
};

template <class Wait>
std::vector<ResultPtr> run_pipeline(PGconn* conn, std::span<const Call> calls, bool is_prepared,
                                    const Wait& wait) {
  Pipeline pipeline(conn);
  for (const Call& call : calls) pipeline.send(call, is_prepared);
  pipeline.send_all();
  return pipeline.receive(wait);
}

/// The first failure, which the others have skipped the rest for; the end where there is none.
auto find_failure(const std::vector<ResultPtr>& answers) {
  return std::ranges::find_if(answers,
                              [](const ResultPtr& answer) { return !sqlstate_of(answer.get()).empty(); });
}

std::string fault_in(const std::vector<ResultPtr>& answers) {
  const auto failure = find_failure(answers);
  return failure == answers.end() ? "" : sqlstate_of(failure->get());
}

}  // namespace

std::vector<Result> Session::run_together(std::span<const Call> calls) {
  for (const Call& call : calls) prepare(call.statement);
  const auto ask = [&](bool by_name) {
    return run_pipeline(impl_->conn.get(), calls, by_name, [this] { impl_->wait_for_answer(); });
  };
  auto answers = ask(!impl_->is_pooled);
  if (const std::string fault = fault_in(answers); impl_->may_be_outdated(fault)) {
    const auto place = static_cast<std::size_t>(find_failure(answers) - answers.begin());
    answers = ask(false);
    if (place < calls.size() && fault_in(answers) != fault) impl_->forget(calls[place].statement);
  }
  if (is_broken()) throw Error(ErrorKind::kInDoubt, "the connection was lost before the answer of a commit");
  std::vector<Result> results;
  for (std::size_t i = 0; i < answers.size(); ++i) {
    auto answer = impl_->check(answers[i].release(), i < calls.size() ? calls[i].statement.name : "commit");
    results.push_back(Result(std::make_shared<Result::Handle>(Result::Handle{std::move(answer)})));
  }
  if (results.size() != calls.size()) impl_->fail(nullptr, "pipeline");
  return results;
}

}  // namespace gp::pg
