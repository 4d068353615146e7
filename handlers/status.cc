// GET /status/<project_id>: the project's document as it is stored.
//   who may call: whoever knows the project's id. Body: none. Side effects: none.
//   200 the proj.v1 document with ETag; 304 where If-None-Match names it; 404 no such project or no document
//   yet; 503 database away.

#include <string>

#include "core/http/entity_tag.h"
#include "core/http/problem.h"
#include "core/process/handler_main.h"
#include "core/process/serve.h"
#include "core/runlog/project_documents.h"

namespace {

constexpr std::string_view kRequired[] = {"DATABASE_URL"};
constexpr std::string_view kPrefix = "/status/";
constexpr std::size_t kIdMaxBytes = 512;  ///< 128 characters of UTF-8

/// A single tag that the database can compare; of a list the text is read and compared here.
std::string single_tag(std::string_view if_none_match) {
  return if_none_match.find(',') == std::string_view::npos ? std::string(if_none_match) : std::string();
}

gp::http::Response handle(gp::runlog::ProjectDocuments& documents, const gp::http::Request& request) {
  const std::string id =
      request.path.starts_with(kPrefix) ? request.path.substr(kPrefix.size()) : std::string();
  if (id.empty() || id.size() > kIdMaxBytes || id.find('/') != std::string::npos) {
    return gp::http::to_response(gp::http::not_found(), request.request_id);
  }
  const std::string_view known = request.header("if-none-match").value_or("");
  const auto document = documents.find(gp::ProjectId(id), single_tag(known));
  if (!document) {
    return gp::http::to_response(
        {404, "project_not_found", "There is no such project, or it has no document yet."},
        request.request_id);
  }
  const bool is_known = gp::http::none_match_names(known, document->etag);
  gp::http::Response response{
      is_known ? 304 : 200, {{"ETag", document->etag}, {"Cache-Control", "no-cache"}}, {}};
  if (!is_known) {
    response.with("Content-Type", "application/json");
    response.body = document->text;
  }
  return response;
}

int run_child(const gp::Config& config, const gp::process::Child& child) {
  gp::runlog::ProjectDocuments documents(config.database_url);
  return gp::process::serve(child, gp::process::serve_options(config, "GET, HEAD, OPTIONS"),
                            [&](const gp::http::Request& request) { return handle(documents, request); });
}

}  // namespace

int main(int argc, char** argv) {
  return gp::process::handler_main(argc, argv,
                                   {.name = "status",
                                    .description = "Serves GET /status/<project_id>.",
                                    .required = kRequired,
                                    .processes = &gp::Config::status_processes,
                                    .drain = &gp::Config::drain_s,
                                    .child = run_child});
}
