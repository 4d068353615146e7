#include "core/runlog/project_documents.h"

#include <algorithm>
#include <exception>
#include <utility>
#include <vector>

#include "core/base/error.h"
#include "core/pg/session.h"
#include "core/runlog/document_memory.h"
#include "core/runlog/schema.h"
#include "sql.h"

namespace gp::runlog {
namespace {

constexpr std::string_view kInvalidText = "22P02";  // an id that uuid or bigint cannot hold
constexpr std::string_view kOutOfRange = "22003";
constexpr std::size_t kMemoryBytes = 4 << 20;  ///< of documents: some hundreds

using Question = ProjectDocuments::Question;
using Found = ProjectDocuments::Found;
using Answers = std::vector<std::optional<Found>>;

}  // namespace

struct ProjectDocuments::Impl {
  explicit Impl(Secret url)
      : sessions(std::move(url), "generate-project status",
                 [this](pg::Session& session) { begin(session); }) {}

  /// Another session may be one to another server, whose rows have other versions.
  void begin(pg::Session& session) {
    fitting_session(kReadPatience)(session);
    memory.clear();
    const auto kind = session.run(sql::kFindRowVersions);
    has_versions = !session.is_pooled() && !kind.empty() && kind.flag(0, "are_known");
  }

  pg::Call ask(const Question& question) {
    const std::string& id = question.project_id.str();
    const std::string tag = unquoted_tag(question.known_etag);
    if (!has_versions) return {sql::kFindDocument, {id, tag}};
    const DocumentMemory::Entry* entry = memory.find(question.project_id);
    const bool is_enough =
        entry != nullptr && (!entry->document.text.empty() || entry->document.etag == question.known_etag);
    return {sql::kFindChangedDocument, {id, is_enough ? entry->version : "", tag}};
  }

  Found find(const Question& question) {
    const auto found = sessions.get().run(ask(question));
    return read(question, found).value();
  }

  /// Nothing where the document is unchanged, and has had to go from the memory since ask().
  std::optional<Found> read(const Question& question, const pg::Result& found) {
    if (found.empty()) {
      memory.forget(question.project_id);
      return Found();
    }
    if (!has_versions) return read_document(found, 0);
    if (found.is_null(0, "tag")) {
      const DocumentMemory::Entry* entry = memory.find(question.project_id);
      if (entry == nullptr) return std::nullopt;
      const auto& [etag, text] = entry->document;
      return StoredDocument{etag, etag == question.known_etag ? std::string() : text};
    }
    StoredDocument document = read_document(found, 0);
    memory.keep(question.project_id, {found.text(0, "version"), document});
    return document;
  }

  Answers find_together(std::span<const std::optional<Question>> questions) {
    std::vector<Question> asked;  // few: as many as requests wait together
    for (const auto& each : questions) {
      if (each && std::ranges::find(asked, *each) == asked.end()) asked.push_back(*each);
    }
    pg::Session& session = sessions.get();
    std::vector<pg::Call> calls;
    for (const Question& each : asked) calls.push_back(ask(each));
    const auto found = session.run_together(calls);
    Answers answers(questions.size());
    for (std::size_t i = 0; i < asked.size(); ++i) {
      const auto answer = read(asked[i], found.at(i));
      for (std::size_t place = 0; place < questions.size(); ++place) {
        if (questions[place] == asked[i]) answers[place] = answer;
      }
    }
    return answers;
  }

  DocumentMemory memory{kMemoryBytes};
  bool has_versions = false;
  pg::SessionHolder sessions;
};

ProjectDocuments::ProjectDocuments(Secret database_url)
    : impl_(std::make_unique<Impl>(std::move(database_url))) {}
ProjectDocuments::~ProjectDocuments() = default;

Found ProjectDocuments::find(const Question& question) {
  for (bool is_second = false;; is_second = true) {
    try {
      return impl_->find(question);
    } catch (const Error& error) {
      if (error.code() == kInvalidText || error.code() == kOutOfRange) return std::nullopt;
      impl_->sessions.drop();
      if (error.kind() != ErrorKind::kUnavailable || is_second) throw;
    }
  }
}

Answers ProjectDocuments::find_together(std::span<const std::optional<Question>> questions) noexcept {
  try {
    if (std::ranges::count_if(questions, &std::optional<Question>::has_value) > 1)
      return impl_->find_together(questions);
  } catch (const std::exception&) {  // an id that the column cannot hold, or PostgreSQL is away
  }
  return Answers(questions.size());
}

}  // namespace gp::runlog
