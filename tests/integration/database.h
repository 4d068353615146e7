#pragma once

#include <stdexcept>
#include <string>

#include <fmt/format.h>

#include "core/base/error.h"
#include "core/base/ids.h"
#include "core/base/secret.h"
#include "core/pg/session.h"
#include "core/pg/statement.h"
#include "core/project/start_request.h"
#include "core/runlog/migrate.h"
#include "tests/support/shell.h"

namespace integration {

/// Where the private server of the integration tests is.
inline std::string server_url() {
  std::string url = support::run_or_throw(std::string(GP_SOURCE_DIR) + "/tests/support/private-postgres " +
                                          GP_POSTGRES_FOLDER + " address");
  while (url.ends_with('\n')) url.pop_back();
  return url;
}

/// A database of its own for one case, dropped at its end.
class Database {
 public:
  Database() : server_(server_url()), name_("t_" + gp::make_uuid().substr(0, 8)) {
    admin("CREATE DATABASE " + name_);
    std::string url = server_;
    url.replace(url.find("///postgres?"), 12, "///" + name_ + "?");
    url_ = gp::Secret(url);
  }
  ~Database() {
    try {
      admin("DROP DATABASE " + name_ + " WITH (FORCE)");
    } catch (const gp::Error&) {
      // the server is stopped next
    }
  }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  const gp::Secret& url() const noexcept { return url_; }

  /// False: no new session can be made, as when the server is away; the old ones stay.
  void allow_sessions(bool are_allowed) const {
    admin("ALTER DATABASE " + name_ + " ALLOW_CONNECTIONS " + (are_allowed ? "true" : "false"));
  }
  void script(const std::string& sql) const { gp::pg::Session(url_, "test").run_script(sql); }
  /// The first column of the first row; "null" for NULL.
  std::string value(const std::string& expression) const {
    gp::pg::Session session(url_, "test");
    const std::string sql = "SELECT (" + expression + ")::text AS value";
    const auto rows = session.run({"value", sql});
    return rows.is_null(0, "value") ? "null" : rows.text(0, "value");
  }
  /// Ends the sessions of that name, of which there must be one; those of other databases are other tests'.
  void end_sessions(const std::string& application_name) const {
    const std::string ended =
        value(fmt::format("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity "
                          "WHERE datname = current_database() AND application_name = '{}'",
                          application_name));
    if (ended == "0") throw std::runtime_error("no session of '" + application_name + "' to end");
  }

 private:
  void admin(const std::string& sql) const { gp::pg::Session(gp::Secret(server_), "test").run_script(sql); }

  std::string server_;
  std::string name_;
  gp::Secret url_;
};

/// The lock that somebody's transaction has on the rows of a query, until it is released.
class LockedRow {
 public:
  LockedRow(const gp::Secret& url, const std::string& query) : session_(url, "lock") {
    session_.run_script("BEGIN; " + query + " FOR UPDATE");
  }
  /// The server would give the lock back a moment after the connection has gone.
  ~LockedRow() {
    try {
      release();
    } catch (const gp::Error&) {
      // the server has ended the session
    }
  }
  LockedRow(const LockedRow&) = delete;
  LockedRow& operator=(const LockedRow&) = delete;
  /// Any thread, while nobody else uses this object. Again it does nothing.
  void release() const { session_.run_script("COMMIT"); }

 private:
  mutable gp::pg::Session session_;
};

/// The same with our tables.
struct Migrated : Database {
  Migrated() { gp::runlog::migrate(url()); }
};

/// A pooler in transaction mode before the private server's own database, for one case.
struct Pooled {
  Pooled() { control("start"); }
  ~Pooled() { control("stop"); }
  Pooled(const Pooled&) = delete;
  Pooled& operator=(const Pooled&) = delete;

  gp::Secret url() const {
    std::string url = control("address");
    while (url.ends_with('\n')) url.pop_back();
    return gp::Secret(url);
  }

 private:
  static std::string control(const std::string& verb) {
    return support::run_or_throw(std::string(GP_SOURCE_DIR) + "/tests/support/private-postgres " +
                                 GP_POSTGRES_FOLDER + " pooler-" + verb);
  }
};

inline gp::project::StartRequest request(const std::string& project_id, const std::string& chat_id = "chat") {
  gp::project::StartRequest request;
  request.project_id = gp::ProjectId(project_id);
  request.chat_id = gp::ChatId(chat_id);
  request.topic = "Fractions";
  request.life_skill = "Empathy";
  request.group_size = 2;
  request.duration_min = 30;
  request.owner_email = gp::Secret("huda@school.ae");
  return request;
}

}  // namespace integration
