#include <algorithm>
#include <filesystem>
#include <set>
#include <string>

#include <fmt/format.h>

#include "core/sqlite/database.h"
#include "tests/fault/chaos_record.h"
#include "tests/fault/csv.h"
#include "tests/support/shell.h"

namespace fault {
namespace {

using gp::Json;

struct Event {
  std::int64_t id = 0;
  std::string name;
  std::string text;  ///< byte for byte
  Json data;
};

struct Run {
  std::string id, project, state;
  bool has_lease = false;
  std::vector<Event> events;
  Json document;
};

class Checker {
 public:
  explicit Checker(const ChaosRecord& record) : record_(record) {}

  std::vector<std::string> check() {
    read_database();
    for (const auto& [id, run] : runs_) check_run(run);
    check_starts();
    for (const ChaosRecord::Client& client : record_.clients) check_client(client);
    check_calls();
    check_csv();
    check_privacy();
    expect(gp::sqlite::Database(record_.spool).number_of("SELECT count(*) FROM outbox WHERE slot >= 0") == 0,
           "the outbox holds rows");
    print();
    return faults_;
  }

 private:
  void expect(bool holds, const std::string& what) {
    ++checks_;
    if (!holds) faults_.push_back(what);
  }

  /// One JSON object a line.
  std::vector<Json> rows(const std::string& query) const {
    const std::string text = support::run_or_throw(
        fmt::format("psql -XAtq -v ON_ERROR_STOP=1 -d '{}' -c \"SELECT row_to_json(r) FROM ({}) r\"",
                    record_.database_url, query));
    std::vector<Json> rows;
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = text.find('\n', at);
      rows.push_back(Json::parse(text.substr(at, end - at)));
      at = end + 1;
    }
    return rows;
  }

  void read_database() {
    for (const Json& row :
         rows("SELECT r.run_id, r.project_id, r.state, r.lease_token IS NOT NULL AS has_lease, "
              "p.spec_json FROM generation_runs r LEFT JOIN projects p ON p.id = r.project_id")) {
      Run& run = runs_[row.at("run_id").get<std::string>()];
      run = {row.at("run_id"),   row.at("project_id"), row.at("state"), row.at("has_lease").get<bool>(), {},
             row.at("spec_json")};
    }
    for (const Json& row :
         rows("SELECT run_id, id, type, data::text AS text FROM generation_events ORDER BY run_id, id")) {
      const std::string text = row.at("text");
      runs_[row.at("run_id").get<std::string>()].events.push_back(
          {row.at("id").get<std::int64_t>(), row.at("type"), text, Json::parse(text)});
    }
  }

  void check_run(const Run& run) {
    expect(run.state == "complete" || run.state == "error", run.id + " is " + run.state);
    expect(!run.has_lease, run.id + " has a lease");
    complete_ += run.state == "complete" ? 1 : 0;
    events_ += run.events.size();
    for (std::size_t i = 0; i < run.events.size(); ++i)
      expect(run.events[i].id == static_cast<std::int64_t>(i + 1), run.id + " has a gap in its ids");
    const std::string last = run.events.empty() ? "" : run.events.back().name;
    expect(last == (run.state == "complete" ? "run_completed" : "error"), run.id + " ends with " + last);
    const auto ends = std::ranges::count_if(run.events, [](const Event& event) {
      return event.name == "run_completed" || event.name == "error";
    });
    expect(ends == 1, fmt::format("{} has {} ends", run.id, ends));
    check_document(run);
  }

  /// What of the document the events tell: its plan, its sections, its end.
  void check_document(const Run& run) {
    if (!run.document.is_object()) return expect(run.events.empty(), run.id + " has no document");
    Json sections = Json::object();
    Json plan;
    Json validator;
    for (const Event& event : run.events) {
      if (event.name == "plan_completed") plan = event.data.at("plan");
      if (event.name == "run_completed") validator = event.data.at("validator");
      if (event.name != "section_completed") continue;
      const std::string id = event.data.at("section_id");
      expect(!sections.contains(id), run.id + " has completed " + id + " twice");
      sections[id] = event.data.at("section");
    }
    const auto same = [](const Json& one, const Json& other) {
      return nlohmann::json::parse(one.dump()) == nlohmann::json::parse(other.dump());
    };
    expect(same(run.document.at("sections"), sections),
           run.id + ": the document's sections are not its events'");
    expect(run.document.at("status") == run.state, run.id + ": the document's status is not the run's");
    if (!plan.is_null())
      expect(same(run.document.at("plan").at("sections"), plan.at("sections")),
             run.id + ": the plan differs");
    if (!validator.is_null())
      expect(same(run.document.at("validator"), validator), run.id + ": the validator differs");
  }

  /// A pair has one run, and whoever asked was told its id.
  void check_starts() {
    std::set<std::string> projects;
    for (const auto& [id, run] : runs_)
      expect(projects.insert(run.project).second, run.project + " has two runs");
    for (const auto& [project, ids] : record_.run_ids) {
      for (const std::string& id : ids) {
        const auto run = runs_.find(id);
        expect(run != runs_.end() && run->second.project == project,
               project + " was told a run that is not its own");
      }
    }
  }

  /// Exactly the events beyond its cursor, in order, byte for byte as they are stored.
  void check_client(const ChaosRecord::Client& client) {
    const auto run = runs_.find(client.run_id);
    if (run == runs_.end()) return;
    const auto& stored = run->second.events;
    seen_ += client.events.size();
    for (std::size_t i = 0; i < client.events.size(); ++i) {
      const ChaosRecord::Seen& seen = client.events[i];
      const std::size_t place = static_cast<std::size_t>(client.after) + i;
      const bool is_next = seen.id == static_cast<std::int64_t>(place + 1);
      expect(is_next,
             fmt::format("a client of {} got {} where {} was due", client.run_id, seen.id, place + 1));
      if (!is_next) return;
      expect(
          place < stored.size() && stored[place].name == seen.name && stored[place].text == seen.data,
          fmt::format("a client of {} got an event {} that is not the stored one", client.run_id, seen.id));
    }
    if (client.has_stayed)
      expect(static_cast<std::size_t>(client.after) + client.events.size() == stored.size(),
             fmt::format("a client of {} got {} of {} events", client.run_id, client.events.size(),
                         stored.size()));
  }

  /// No call was asked for a section that was complete when it began.
  void check_calls() {
    for (const Json& call : record_.calls) {
      cut_ += call.at("outcome") == "sent" ? 0 : 1;
      const Json inputs = Json::parse(call.at("body").at("messages").at(1).at("content").get<std::string>());
      const Run* run = run_of(inputs.dump());
      if (run == nullptr) continue;
      const std::string begun = call.at("begun_at");
      for (const Event& event : run->events) {
        if (event.name != "section_completed" || event.data.at("at").get<std::string>() >= begun) continue;
        const Json& wanted = inputs.at("wanted");
        expect(std::ranges::find(wanted, event.data.at("section_id")) == wanted.end(),
               fmt::format("{} of {} was asked for again at {}",
                           event.data.at("section_id").get<std::string>(), run->id, begun));
      }
    }
  }

  const Run* run_of(const std::string& prompt) const {
    for (const auto& [id, run] : runs_) {
      if (prompt.find("Fractions for " + run.project + "\"") != std::string::npos) return &run;
    }
    return nullptr;
  }

  void check_csv() {
    for (const auto& entry : std::filesystem::recursive_directory_iterator(record_.folder + "/state/logs")) {
      if (entry.path().extension() != ".csv") continue;
      for (const auto& row : parse_csv(support::read_file(entry.path())))
        expect(row.size() == 12, entry.path().filename().string() + " has a broken row");
    }
  }

  void check_privacy() {
    std::string stored;
    for (const auto& [id, run] : runs_) {
      stored += run.document.dump();
      for (const Event& event : run.events) stored += event.text;
    }
    for (const char* folder : {"log", "logs", "nginx"}) {
      for (const auto& entry :
           std::filesystem::recursive_directory_iterator(record_.folder + "/state/" + std::string(folder))) {
        if (entry.is_regular_file()) stored += support::read_file(entry.path());
      }
    }
    for (const std::string& address : record_.addresses)
      expect(stored.find(address.substr(0, address.find('@'))) == std::string::npos,
             address + " is stored or logged");
  }

  void print() const {
    fmt::print("runs            {} ({} complete, {} ended in error)\n", runs_.size(), complete_,
               runs_.size() - complete_);
    fmt::print("events          {} stored, {} received by {} clients\n", events_, seen_,
               record_.clients.size());
    fmt::print("LLM calls       {} ({} cut or refused)\n", record_.calls.size(), cut_);
    fmt::print("checks          {}, of which {} failed\n", checks_, faults_.size());
  }

  const ChaosRecord& record_;
  std::map<std::string, Run> runs_;
  std::vector<std::string> faults_;
  std::size_t checks_ = 0, complete_ = 0, events_ = 0, seen_ = 0, cut_ = 0;
};

}  // namespace

std::vector<std::string> check_chaos(const ChaosRecord& record) { return Checker(record).check(); }

}  // namespace fault
