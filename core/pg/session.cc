#include "core/pg/session.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstring>
#include <utility>

#include <fmt/format.h>
#include <libpq-fe.h>
#include <poll.h>
#include <sys/socket.h>

#include "core/base/error.h"
#include "core/base/utf8.h"
#include "core/pg/address.h"
#include "core/pg/session_impl.h"

namespace gp::pg {
namespace {

constexpr std::chrono::seconds kFirstAnswer{5};
constexpr std::chrono::seconds kLongestMemory{5};  ///< of an attempt to connect that failed
constexpr const char* kRightMissing = "42501";

struct MemoryDeleter {
  void operator()(void* memory) const { PQfreemem(memory); }
};

/// What a caller can do about an SQLSTATE (PostgreSQL 15 documentation, appendix A).
ErrorKind kind_of(std::string_view sqlstate) {
  for (const std::string_view away :
       {"08", "53", "57P", "58", "40", "55P03", "57014", "25006", kRightMissing}) {
    if (sqlstate.starts_with(away)) return ErrorKind::kUnavailable;
  }
  return ErrorKind::kBug;
}

/// libpq's own messages ("connection to server at ... failed: ...") name hosts, users and databases. They
/// name parts of the password too where libpq has taken these for one: check_address() comes before.
std::string first_line(const char* message) {
  const std::string text = utf8::sanitize(message == nullptr ? "" : message);
  return text.substr(0, text.find('\n'));
}

/// What an operator does about it, for what he can mend.
std::string_view advice_for(std::string_view sqlstate) {
  return sqlstate == kRightMissing ? "; generate-project doctor names the rights that the role lacks" : "";
}

void ignore_notice(void*, const PGresult*) {}

/// Waits until libpq can be asked for an answer without blocking, or the connection is lost; false where
/// neither has happened after `patience`.
bool is_answered_within(PGconn* conn, std::chrono::milliseconds patience) {
  for (const SteadyTime deadline = steady_now() + patience; PQisBusy(conn) != 0;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - steady_now());
    if (left.count() <= 0) return false;
    pollfd entry{PQsocket(conn), POLLIN, 0};
    ::poll(&entry, 1, static_cast<int>(left.count()));
    if (PQconsumeInput(conn) == 0) return true;
  }
  return true;
}

/// The answer to a first statement. Throws Error(kUnavailable) where none comes within kFirstAnswer: not all
/// that lets a client in serves it, such as a pooler whose server is away.
ResultPtr ask_at_first(PGconn* conn, const char* sql) {
  PQsendQuery(conn, sql);
  if (!is_answered_within(conn, kFirstAnswer))
    throw Error(ErrorKind::kUnavailable, "the server does not answer");
  ResultPtr answer(PQgetResult(conn));
  while (ResultPtr(PQgetResult(conn))) {
  }
  return answer;
}

/// What a session of ours relies on, whatever is set on the role or the database: how long an answer is
/// waited for is decided here (Session::give_up_after), and for a lock by whoever may not wait.
struct Setting {
  const char* name;
  const char* value;
  int since = 0;  ///< the server's version that has it: 140000 is 14
};
constexpr std::array<Setting, 5> kSettings = {{{"default_transaction_isolation", "read committed"},
                                               {"statement_timeout", "0"},
                                               {"lock_timeout", "0"},
                                               {"idle_session_timeout", "0", 140000},
                                               {"transaction_timeout", "0", 170000}}};

/// Makes the settings, unless a pooler is between: there they would stay with the server process, for whoever
/// is given that one next. A pooler makes up the process id that it gives its clients, because it has none to
/// give for certain. Returns whether there is one.
bool settle_in(PGconn* conn) {
  std::string sql = fmt::format("SELECT CASE WHEN pg_backend_pid() = {} THEN ''", PQbackendPID(conn));
  for (const Setting& each : kSettings) {
    if (PQserverVersion(conn) >= each.since)
      sql += fmt::format(" || set_config('{}', '{}', false)", each.name, each.value);
  }
  const ResultPtr answer = ask_at_first(conn, (sql + " END").c_str());
  return PQntuples(answer.get()) == 1 && PQgetisnull(answer.get(), 0, 0) != 0;
}

/// What a statement fails with whose parameters have the types that its table's columns had before: no such
/// operator or function, a value of another type than the column, a result of another type, a number out of
/// range, a text that the former type cannot read.
constexpr std::array<std::string_view, 5> kOutdated = {"42883", "42804", "0A000", "22003", "22P02"};

}  // namespace

void ConnDeleter::operator()(PGconn* conn) const { PQfinish(conn); }
void ResultDeleter::operator()(PGresult* result) const { PQclear(result); }

Param Param::array(const std::vector<std::string>& elements) {
  constexpr std::string_view kSpecial = "\"\\";
  std::string text = "{";
  for (const std::string& element : elements) {
    text += text.size() > 1 ? ",\"" : "\"";
    std::size_t from = 0;
    for (std::size_t at = 0; (at = element.find_first_of(kSpecial, at)) != std::string::npos; from = at++)
      text.append(element, from, at - from) += '\\';
    text.append(element, from) += '"';
  }
  text += '}';
  return Param(std::move(text));
}

WireCall::WireCall(const Call& call) : name(call.statement.name), sql(call.statement.sql) {
  values.reserve(call.params.size());
  for (const Param& param : call.params) values.push_back(param.value());
}

std::string sqlstate_of(const PGresult* result) {
  const char* state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  return state == nullptr ? "" : state;
}

// Result
// --------------------------------------------------------------------------------------------------------------

int Result::Handle::column(const char* name) const {
  const int number = PQfnumber(result.get(), name);
  if (number < 0) throw Error(ErrorKind::kBug, fmt::format("the answer has no column {}", name));
  return number;
}

int Result::size() const noexcept { return PQntuples(handle_->result.get()); }

std::int64_t Result::affected() const {
  const std::string_view text = PQcmdTuples(handle_->result.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

bool Result::is_null(int row, const char* column) const {
  return PQgetisnull(handle_->result.get(), row, handle_->column(column)) != 0;
}

std::string Result::text(int row, const char* column) const {
  const int number = handle_->column(column);
  if (PQgetisnull(handle_->result.get(), row, number) != 0) {
    throw Error(ErrorKind::kBug, fmt::format("column {} is NULL", column));
  }
  return {PQgetvalue(handle_->result.get(), row, number),
          static_cast<std::size_t>(PQgetlength(handle_->result.get(), row, number))};
}

std::int64_t Result::number(int row, const char* column) const {
  const std::string value = text(row, column);
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(value.data(), value.data() + value.size(), number);
  if (fault != std::errc{} || end != value.data() + value.size()) {
    throw Error(ErrorKind::kBug, fmt::format("column {} is no whole number", column));
  }
  return number;
}

bool Result::flag(int row, const char* column) const { return text(row, column) == "t"; }

// Session
// -------------------------------------------------------------------------------------------------------------

bool Session::Impl::is_broken() const { return PQstatus(conn.get()) != CONNECTION_OK; }

void Session::Impl::fail(const PGresult* result, std::string_view what) const {
  const char* message = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
  const std::string text = first_line(message != nullptr ? message : PQerrorMessage(conn.get()));
  const std::string code = sqlstate_of(result);
  const ErrorKind kind = is_broken() || code.empty() ? ErrorKind::kUnavailable : kind_of(code);
  throw Error(kind, fmt::format("{}: {}{}", what, text, advice_for(code)), code);
}

void Session::Impl::wait_for_answer() const {
  if (patience.count() == 0 || is_answered_within(conn.get(), patience)) return;
  ::shutdown(PQsocket(conn.get()), SHUT_RDWR);
}

ResultPtr Session::Impl::take_answer() const {
  wait_for_answer();
  ResultPtr last(PQgetResult(conn.get()));
  while (last) {
    wait_for_answer();
    ResultPtr next(PQgetResult(conn.get()));
    if (!next) break;
    last = std::move(next);
  }
  return last;
}

ResultPtr Session::Impl::ask(const Call& call, bool by_name) const {
  const WireCall wire(call);
  // A failure to send leaves the connection broken, which the answer will show.
  if (by_name) {
    PQsendQueryPrepared(conn.get(), wire.name.c_str(), wire.count(), wire.values.data(), nullptr, nullptr, 0);
  } else {
    PQsendQueryParams(conn.get(), wire.sql.c_str(), wire.count(), nullptr, wire.values.data(), nullptr,
                      nullptr, 0);
  }
  return take_answer();
}

bool Session::Impl::may_be_outdated(std::string_view sqlstate) const {
  return !is_pooled && PQtransactionStatus(conn.get()) == PQTRANS_IDLE &&
         std::ranges::find(kOutdated, sqlstate) != kOutdated.end();
}

void Session::Impl::forget(const Statement& statement) {
  prepared.erase(statement.name);
  PQsendQuery(conn.get(), fmt::format("DEALLOCATE {}", statement.name).c_str());
  take_answer();  // a connection that has broken is found out by whoever asks next
}

ResultPtr Session::Impl::check(PGresult* raw, std::string_view what) const {
  ResultPtr result(raw);
  const ExecStatusType status = PQresultStatus(result.get());
  if (status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) fail(result.get(), what);
  return result;
}

Session::Session(const Secret& conninfo, const std::string& application) : impl_(std::make_unique<Impl>()) {
  check_address(conninfo);
  // Later keywords win over earlier ones, and dbname, when it is a connection string, is expanded in its
  // place: what the operator set wins over our defaults. application_name is always ours, and so is the
  // encoding: without, it is the server's, and UTF-8 would go into a database of another one as it is. A
  // pooler hands both on to whichever server process it gives us.
  const std::array keywords = {
      "connect_timeout", "keepalives_idle",  "keepalives_interval", "tcp_user_timeout",
      "dbname",          "application_name", "client_encoding",     static_cast<const char*>(nullptr)};
  const std::array values = {"5",
                             "10",
                             "5",
                             "20000",
                             conninfo.reveal().c_str(),
                             application.c_str(),
                             "UTF8",
                             static_cast<const char*>(nullptr)};
  impl_->conn.reset(PQconnectdbParams(keywords.data(), values.data(), 1));
  if (impl_->is_broken()) throw Error(ErrorKind::kUnavailable, first_line(PQerrorMessage(impl_->conn.get())));
  PQsetNoticeReceiver(impl_->conn.get(), ignore_notice, nullptr);
  impl_->is_pooled = settle_in(impl_->conn.get());
}

Session::~Session() = default;

void Session::give_up_after(std::chrono::milliseconds patience) { impl_->patience = patience; }

bool Session::is_prepared(const Statement& statement) const {
  return impl_->is_pooled || impl_->prepared.contains(statement.name);
}

void Session::prepare(const Statement& statement) {
  if (is_prepared(statement)) return;
  const std::string name(statement.name);
  const std::string sql(statement.sql);
  PQsendPrepare(impl_->conn.get(), name.c_str(), sql.c_str(), 0, nullptr);
  impl_->check(impl_->take_answer().release(), statement.name);
  impl_->prepared.insert(statement.name);
}

Result Session::run(const Call& call) {
  prepare(call.statement);
  ResultPtr answer = impl_->ask(call, !impl_->is_pooled);
  const std::string fault = sqlstate_of(answer.get());
  if (impl_->may_be_outdated(fault)) {
    answer = impl_->ask(call, false);
    if (sqlstate_of(answer.get()) != fault) impl_->forget(call.statement);
  }
  answer = impl_->check(answer.release(), call.statement.name);
  return Result(std::make_shared<Result::Handle>(Result::Handle{std::move(answer)}));
}

Result Session::run_unprepared(const Call& call) {
  auto answer = impl_->check(impl_->ask(call, false).release(), call.statement.name);
  return Result(std::make_shared<Result::Handle>(Result::Handle{std::move(answer)}));
}

Result Session::run(const Statement& statement, std::initializer_list<Param> params) {
  return run(Call{statement, params});
}

void Session::run_script(std::string_view sql) {
  const std::string text(sql);
  PQsendQuery(impl_->conn.get(), text.c_str());
  impl_->check(impl_->take_answer().release(), text.substr(0, text.find_first_of(" \n")));
}

void Session::listen(std::string_view channel) { run_script(fmt::format("LISTEN {}", channel)); }

std::vector<Notification> Session::wait(std::chrono::milliseconds timeout, int wake_fd) {
  const auto take = [this] {
    std::vector<Notification> taken;
    std::unique_ptr<PGnotify, MemoryDeleter> next;
    while (next.reset(PQnotifies(impl_->conn.get())), next) taken.push_back({next->relname, next->extra});
    return taken;
  };
  auto taken = take();  // some may have come with the answer of an earlier statement
  if (!taken.empty()) return taken;
  std::array<pollfd, 2> fds{{{PQsocket(impl_->conn.get()), POLLIN, 0}, {wake_fd, POLLIN, 0}}};
  ::poll(fds.data(), wake_fd < 0 ? 1 : 2, static_cast<int>(timeout.count()));
  if (fds[0].revents == 0) return {};
  if (PQconsumeInput(impl_->conn.get()) == 0) impl_->fail(nullptr, "waiting for a notification");
  return take();
}

bool Session::is_broken() const { return impl_->is_broken(); }

bool Session::is_pooled() const { return impl_->is_pooled; }

// Transaction
// ---------------------------------------------------------------------------------------------------------

Transaction::Transaction(Session& session) : session_(session) {
  session_.run_script("BEGIN ISOLATION LEVEL READ COMMITTED");
}

Transaction::~Transaction() {
  if (!is_open_ || session_.is_broken()) return;
  try {
    session_.run_script("ROLLBACK");
  } catch (const Error&) {
    // The connection has just broken: the server rolls back by itself.
  }
}

void Transaction::commit() {
  is_open_ = false;
  try {
    session_.run_script("COMMIT");
  } catch (const Error& error) {
    if (!session_.is_broken()) throw;
    throw Error(ErrorKind::kInDoubt, "the connection was lost during COMMIT", error.code());
  }
}

// SessionHolder
// ------------------------------------------------------------------------------------------------------------

bool SessionHolder::ensure() {
  if (session_ && !session_->is_broken()) return false;
  session_.reset();
  if (fault_ && steady_now() < next_try_) throw Error(*fault_);
  const SteadyTime begun = steady_now();
  try {
    connect();
  } catch (const Error& error) {
    fault_ = error;
    const SteadyTime now = steady_now();
    next_try_ = now + std::min<SteadyTime::duration>(now - begun, kLongestMemory);
    throw;
  }
  return true;
}

void SessionHolder::connect() {
  auto fresh = std::make_unique<Session>(conninfo_, application_);
  if (on_connect_) on_connect_(*fresh);
  session_ = std::move(fresh);
}

}  // namespace gp::pg
