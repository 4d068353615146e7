#include "core/generation/known_events.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>

#include "core/base/json.h"
#include "core/base/report.h"
#include "core/project/document.h"

namespace gp::generation {
namespace {

project::Event event_of(const spool::CachedEvent& cached) {
  const auto type = project::parse_event_type(cached.type);
  if (!type) throw Error(ErrorKind::kConflict, "the replay cache holds an event of unknown type");
  return {cached.id, *type, parse_json(cached.data)};
}

std::int64_t tokens_of(const Json& data, const char* kind) {
  const auto tokens = data.find("tokens");
  if (tokens == data.end() || !tokens->contains(kind) || tokens->at(kind).is_null()) return -1;
  return tokens->at(kind).get<std::int64_t>();
}

/// How the attempt ended, as far as its last event tells; the number of calls is not among it.
project::RunEnd end_of(const project::Event& event) {
  project::RunEnd end;
  end.complete = event.type == project::EventType::kRunCompleted;
  if (end.complete) {
    end.usage = {tokens_of(event.data, "prompt"), 0, tokens_of(event.data, "completion")};
    if (const auto cost = event.data.find("cost_est"); cost != event.data.end() && cost->is_number())
      end.cost_usd = cost->get<double>();
  } else {
    end.error_code = event.data.at("code").get<std::string>();
    end.error_message = event.data.at("message").get<std::string>();
  }
  return end;
}

/// What `read` finds in the spool; one that is of no use now has nothing.
template <class Read>
auto read_spool(const Read& read) -> decltype(read()) {
  try {
    return read();
  } catch (const Error& error) {
    report::report(report::SpoolFailed{error.what()});
    return {};
  }
}

std::vector<spool::CachedEvent> confirmed_after(spool::Outbox& outbox, const RunId& run_id,
                                                std::int64_t after) {
  return read_spool([&] { return outbox.confirmed(run_id, after); });
}

bool is_same(const project::Event& left, const project::Event& right) {
  return left.id == right.id && left.type == right.type && left.data == right.data;
}

/// The confirmed events that this host has beyond those of the claim, where they go on from these: the cache
/// must have the claim's last event, and the same one. After a failover another worker may have written other
/// events under the same ids; what is here belongs to a past that the log has given up, and is forgotten.
std::vector<spool::CachedEvent> confirmed_beyond(spool::Outbox& outbox, const runlog::Claim& claim) {
  const RunId& run_id = claim.lease.run_id;
  if (claim.events.empty()) return confirmed_after(outbox, run_id, 0);
  const project::Event& last = claim.events.back();
  auto cached = confirmed_after(outbox, run_id, last.id - 1);
  if (cached.empty()) return {};
  if (!is_same(event_of(cached.front()), last)) {
    return read_spool([&]() -> std::vector<spool::CachedEvent> {
      outbox.forget_confirmed(run_id);
      return {};
    });
  }
  cached.erase(cached.begin());
  return cached;
}

std::int64_t last_id_of(const runlog::Claim& claim) {
  return claim.events.empty() ? 0 : claim.events.back().id;
}

/// The steps that this host knows beyond the claim's last event, as they were written.
std::vector<project::Step> known_beyond(spool::Outbox& outbox, const runlog::Claim& claim) {
  const RunId& run_id = claim.lease.run_id;
  std::vector<project::Step> steps;
  for (const spool::CachedEvent& cached : confirmed_beyond(outbox, claim)) {
    project::Event event = event_of(cached);
    std::optional<project::RunEnd> end;
    if (is_terminal(event.type)) end = end_of(event);
    steps.push_back({run_id, claim.lease.token, std::move(event), {}, std::move(end)});
  }
  if (!claim.former_token) return steps;
  const std::int64_t last = steps.empty() ? last_id_of(claim) : steps.back().event.id;
  auto unconfirmed = read_spool([&] { return outbox.unconfirmed(run_id, *claim.former_token, last); });
  std::ranges::move(unconfirmed, std::back_inserter(steps));
  return steps;
}

}  // namespace

std::vector<project::Step> steps_between(spool::Outbox& outbox, const RunId& run_id, const LeaseToken& token,
                                         std::int64_t after, std::int64_t last) {
  std::vector<project::Step> steps;
  for (const spool::CachedEvent& cached : confirmed_after(outbox, run_id, after)) {
    if (cached.id <= last) steps.push_back({run_id, token, event_of(cached), {}, {}});
  }
  if (static_cast<std::int64_t>(steps.size()) != last - after) steps.clear();
  return steps;
}

std::vector<project::Step> add_known_events(runlog::Claim& claim, spool::Outbox& outbox,
                                            const std::string& csv_base_url) {
  const RunId& run_id = claim.lease.run_id;
  auto known = known_beyond(outbox, claim);
  if (known.empty()) return {};
  project::Document document(run_id, claim.request, project::csv_url(csv_base_url, run_id));
  for (const project::Event& event : claim.events) document.apply(event);
  std::vector<project::Step> steps;
  for (project::Step& step : known) {
    step.token = claim.lease.token;
    document.apply(step.event);
    step.document = dump_json(document.json());
    claim.events.push_back(step.event);
    steps.push_back(std::move(step));
    if (steps.back().end) break;
  }
  report::report(report::EventsRestored{run_id.str(), static_cast<std::int64_t>(steps.size())});
  return steps;
}

}  // namespace gp::generation
