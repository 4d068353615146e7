// The numbers of a host in the text format 0.0.4 of Prometheus
// (https://prometheus.io/docs/instrumenting/exposition_formats/).

#include <chrono>
#include <map>

#include <fmt/format.h>

#include "core/base/metrics_file.h"

namespace gp::metrics {
namespace {

/// The files of a host, added up.
struct Host {
  std::map<std::string, int, std::less<>> live_processes;  ///< 0 for a handler that only left files
  std::map<std::string, Totals, std::less<>> by_handler;
  Totals all;

  Totals of(std::string_view handler) const {
    const auto found = by_handler.find(handler);
    return found == by_handler.end() ? Totals{} : found->second;
  }
};

Host read_host(const std::string& folder) {
  Host host;
  for (const SlotReading& slot : read_slots(folder)) {
    host.live_processes[slot.handler] += slot.is_live ? 1 : 0;
    add_to(host.by_handler[slot.handler], slot.totals);
    add_to(host.all, slot.totals);
  }
  return host;
}

std::string joined(std::string_view labels, std::string_view more) {
  return fmt::format("{}{}{}", labels, labels.empty() || more.empty() ? "" : ",", more);
}

std::string handler_label(std::string_view handler) { return fmt::format("handler=\"{}\"", handler); }

double in_seconds(double nanoseconds) { return nanoseconds / 1e9; }

/// The text as it grows, a family at a time.
class Text {
 public:
  void begin_family(std::string_view name, std::string_view type, std::string_view help) {
    text_ += fmt::format("# HELP {0}{1} {2}\n# TYPE {0}{1} {3}\n", kPrefix, name, help, type);
  }

  template <class Value>
  void add(std::string_view name, std::string_view labels, Value value) {
    text_ += labels.empty() ? fmt::format("{}{} {}\n", kPrefix, name, value)
                            : fmt::format("{}{}{{{}}} {}\n", kPrefix, name, labels, value);
  }

  void add_histogram(const Row<Histogram>& row, std::string_view labels, const Totals::Spread& spread) {
    const std::string bucket = fmt::format("{}_bucket", row.name);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i < row.bounds.size(); ++i) {
      count += spread.buckets[i];
      const double bound = in_seconds(static_cast<double>(row.bounds[i].count()));
      add(bucket, joined(labels, fmt::format("le=\"{}\"", bound)), count);
    }
    count += spread.buckets[row.bounds.size()];
    add(bucket, joined(labels, "le=\"+Inf\""), count);
    add(fmt::format("{}_sum", row.name), labels, in_seconds(static_cast<double>(spread.sum_ns)));
    add(fmt::format("{}_count", row.name), labels, count);
  }

  std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// Calls `add_series(row, labels, totals)` for each series that `rows` describe.
template <class Id, class AddSeries>
void add_families(Text& text, std::string_view type, std::span<const Row<Id>> rows, const Host& host,
                  const AddSeries& add_series) {
  for (const Row<Id>& row : rows) {
    if (!row.help.empty()) text.begin_family(row.name, type, row.help);
    if (row.handlers.empty()) add_series(row, std::string(row.labels), host.all);
    for (const std::string_view handler : row.handlers) {
      add_series(row, joined(handler_label(handler), row.labels), host.of(handler));
    }
  }
}

template <class Id>
std::size_t at(const Row<Id>& row) {
  return static_cast<std::size_t>(row.id);
}

void add_host_itself(Text& text, const Host& host) {
  text.begin_family("build_info", "gauge", "The version that serves this; always 1.");
  text.add("build_info", "version=\"" GP_VERSION "\"", 1);
  if (host.live_processes.empty()) return;
  text.begin_family("processes", "gauge", "Live processes of each handler.");
  for (const auto& [handler, live] : host.live_processes) text.add("processes", handler_label(handler), live);
}

}  // namespace

std::string render(const std::string& folder) {
  const Host host = read_host(folder);
  Text text;
  add_host_itself(text, host);
  add_families(text, "gauge", gauges(), host,
               [&](const auto& row, const std::string& labels, const Totals& totals) {
                 text.add(row.name, labels, totals.gauges[at(row)]);
               });
  add_families(text, "counter", counters(), host,
               [&](const auto& row, const std::string& labels, const Totals& totals) {
                 text.add(row.name, labels, totals.counters[at(row)]);
               });
  add_families(text, "histogram", histograms(), host,
               [&](const auto& row, const std::string& labels, const Totals& totals) {
                 text.add_histogram(row, labels, totals.histograms[at(row)]);
               });
  return text.take();
}

HandlerNow read_handler(const std::string& folder, std::string_view handler) {
  HandlerNow now{0, std::vector<std::int64_t>(kGauges)};
  for (const SlotReading& slot : read_slots(folder)) {
    if (slot.handler != handler || !slot.is_live) continue;
    ++now.processes;
    for (std::size_t i = 0; i < kGauges; ++i) now.gauges[i] += slot.totals.gauges[i];
  }
  return now;
}

std::string folder_in(std::string_view runtime_dir) { return fmt::format("{}/metrics", runtime_dir); }

std::string slot_file(std::string_view runtime_dir, std::string_view handler, int slot) {
  return fmt::format("{}/{}-{}", folder_in(runtime_dir), handler, slot);
}

}  // namespace gp::metrics
