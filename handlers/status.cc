// What is known of a project, and of a run, at this moment.
//
// GET /status/<project_id>: the project's document (proj.v1) as it is stored.
//   404 project_not_found: no such project, or no document yet.
//
// GET /runs/<run_id>: how a run is getting on: state, attempt, times, calls, tokens and cost of the attempts
//   that have ended, the newest event's id, and why it ended in error.
//   400 not a UUID, 404 run_not_found.
//
// Both: 200 JSON with ETag; 304 where If-None-Match names it; 503 where the database is away. Body: none.
// Side effects: none. Who may call: whoever knows the id.

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/utf8.h"
#include "core/http/entity_tag.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"
#include "core/runlog/project_documents.h"
#include "core/runlog/run_descriptions.h"
#include "core/runlog/schema.h"

namespace {

using gp::http::Request;
using gp::http::Response;
using Question = gp::runlog::ProjectDocuments::Question;

constexpr std::string_view kRequired[] = {"DATABASE_URL"};
constexpr std::string_view kStatusPrefix = "/status/";
constexpr std::string_view kRunPrefix = "/runs/";
constexpr std::size_t kIdMaxBytes = 512;  ///< 128 characters of UTF-8

struct App {
  gp::runlog::ProjectDocuments documents;
  gp::runlog::RunDescriptions runs;
};

std::string_view known_tags(const Request& request) { return request.header("if-none-match").value_or(""); }

/// A single tag that the database can compare; of a list the text is read and compared here.
std::string single_tag(const Request& request) {
  const std::string_view tags = known_tags(request);
  const bool is_single = tags.find(',') == std::string_view::npos && gp::utf8::is_valid(tags);
  return is_single ? std::string(tags) : std::string();
}

/// What stands behind `prefix`, where that can be an id.
std::optional<std::string> id_behind(std::string_view prefix, const std::string& path) {
  if (!path.starts_with(prefix)) return std::nullopt;
  std::string id = path.substr(prefix.size());
  if (id.empty() || id.size() > kIdMaxBytes || !gp::utf8::is_valid(id)) return std::nullopt;
  return id;
}

/// It may hold slashes.
std::optional<std::string> project_in(const std::string& path) { return id_behind(kStatusPrefix, path); }

std::optional<std::string> run_in(const std::string& path) {
  auto id = id_behind(kRunPrefix, path);
  return id && id->find('/') == std::string::npos ? std::move(id) : std::nullopt;
}

Response answer(const gp::runlog::StoredDocument& document, const Request& request) {
  const bool is_known = gp::http::none_match_names(known_tags(request), document.etag);
  Response response{is_known ? 304 : 200, {{"ETag", document.etag}, {"Cache-Control", "no-cache"}}, {}};
  if (!is_known) {
    response.with("Content-Type", "application/json");
    response.body = document.text;
  }
  return response;
}

Response project_status(const std::optional<gp::runlog::StoredDocument>& document, const Request& request) {
  if (document) return answer(*document, request);
  return gp::http::to_response(
      {404, "project_not_found", "There is no such project, or it has no document yet."}, request.request_id);
}

Response run_status(App& app, const std::string& id, const Request& request) {
  const auto run_id = gp::parse_run_id(id);
  if (!run_id) {
    return gp::http::to_response(
        {400, "invalid_request", "run_id is not a UUID.", {{"run_id", "must be a UUID"}}},
        request.request_id);
  }
  const auto description = app.runs.find(*run_id, single_tag(request));
  if (description) return answer(*description, request);
  return gp::http::to_response({404, "run_not_found", "There is no such run."}, request.request_id);
}

Response other(App& app, const Request& request) {
  if (const auto id = run_in(request.path)) return run_status(app, *id, request);
  return gp::http::to_response(gp::http::not_found(), request.request_id);
}

/// Which document is asked for; nothing where none is.
std::optional<Question> question_in(const Request& request) {
  auto id = project_in(request.path);
  if (!id) return std::nullopt;
  return Question{gp::ProjectId(std::move(*id)), single_tag(request)};
}

/// Finds the documents together; the others have to wait for nothing.
std::vector<gp::process::Answer> begin(App& app, std::span<const Request* const> together) {
  std::vector<std::optional<Question>> questions;
  for (const Request* request : together) questions.push_back(question_in(*request));
  auto found = app.documents.find_together(questions);
  std::vector<gp::process::Answer> answers;
  for (std::size_t i = 0; i < together.size(); ++i) {
    answers.emplace_back(
        [&app, &request = *together[i], question = std::move(questions[i]), known = std::move(found[i])] {
          if (known) return project_status(*known, request);
          return question ? project_status(app.documents.find(*question), request) : other(app, request);
        });
  }
  return answers;
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  gp::runlog::await_schema(config.database_url, child.stop_fd);
  App app{gp::runlog::ProjectDocuments(config.database_url),
          gp::runlog::RunDescriptions(config.database_url)};
  return gp::process::serve_together(child, gp::process::serve_options(config, "GET, HEAD, OPTIONS"),
                                     [&](auto together) { return begin(app, together); });
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "status",
                                    .description = "Serves GET /status/<project_id> and GET /runs/<run_id>.",
                                    .required = kRequired,
                                    .processes = &gp::Config::status_processes,
                                    .drain = &gp::Config::drain_s,
                                    .prepare = gp::process::without_files(run_child)});
}
