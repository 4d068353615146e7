#include "core/base/config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <limits>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/base/json.h"
#include "core/base/settings_file.h"

namespace gp {
namespace {

using C = Config;

// name, member, default, allowed, unit, help, minimum, maximum, choices
constexpr std::array kSettings = {
    Setting{"OPENAI_API_KEY", &C::openai_api_key, "", "any text", "",
            "Key for the LLM provider; servers without keys accept any text"},
    Setting{"DATABASE_URL", &C::database_url, "", "a libpq connection string or URL", "",
            "PostgreSQL (13 or newer); several hosts and target_session_attrs work"},
    Setting{"PORT", &C::port, "8080", "1-65535", "", "TCP port of nginx", 1, 65535},
    Setting{"MODEL_PRIMARY", &C::model_primary, "gpt-5-mini", "a model name", "",
            "Model that writes the projects"},
    Setting{"CSV_LOG_DIR", &C::csv_log_dir, "./logs", "a folder", "",
            "Where the CSV log of each run is written"},

    Setting{"OPENAI_BASE_URL", &C::openai_base_url, "https://api.openai.com/v1", "an http(s) URL", "",
            "Any OpenAI-compatible server; /chat/completions is appended"},
    Setting{"MODEL_FALLBACK", &C::model_fallback, "", "a model name", "",
            "Tried when the provider says that MODEL_PRIMARY does not exist"},
    Setting{"LLM_RESPONSE_FORMAT", &C::llm_response_format, "json_schema", "json_schema, json_object or none",
            "", "How the answer's shape is asked for", 0, 0, "json_schema|json_object|none"},
    Setting{"LLM_MAX_TOKENS_PARAM", &C::llm_max_tokens_param, "max_completion_tokens",
            "max_completion_tokens, max_tokens or none", "", "Name of the parameter that caps the answer", 0,
            0, "max_completion_tokens|max_tokens|none"},
    Setting{"LLM_MAX_TOKENS", &C::llm_max_tokens, "32000", "1000-200000", "tokens",
            "Cap of one answer, hidden reasoning included", 1000, 200000},
    Setting{"LLM_REASONING_EFFORT", &C::llm_reasoning_effort, "low",
            "none, minimal, low, medium, high, xhigh, max or omit", "",
            "Sent as reasoning_effort; omit sends nothing", 0, 0,
            "none|minimal|low|medium|high|xhigh|max|omit"},
    Setting{"LLM_TEMPERATURE", &C::llm_temperature, "", "a number from 0 to 2, or empty", "",
            "Sent only when set: several models refuse it"},
    Setting{"LLM_EXTRA_JSON", &C::llm_extra_json, "", "a JSON object, or empty", "",
            "Merged into the body of each call, for what a provider needs beyond the rest"},
    Setting{"LLM_MAX_CALLS", &C::llm_max_calls, "3", "1-10", "calls",
            "LLM calls per attempt, retries and repair included", 1, 10},
    Setting{"LLM_CONNECT_TIMEOUT_S", &C::llm_connect_timeout_s, "10", "1-120", "s",
            "Longest wait for a connection", 1, 120},
    Setting{"LLM_FIRST_BYTE_TIMEOUT_S", &C::llm_first_byte_timeout_s, "120", "1-1800", "s",
            "Longest silence before the first token (reasoning is silent)", 1, 1800},
    Setting{"LLM_IDLE_TIMEOUT_S", &C::llm_idle_timeout_s, "60", "1-1800", "s",
            "Longest silence between two tokens", 1, 1800},
    Setting{"RUN_TIMEOUT_S", &C::run_timeout_s, "900", "5-86400", "s",
            "Longest time of work on one attempt of a run", 5, 86400},
    Setting{"PRICES_FILE", &C::prices_file, "", "a JSON file, or empty", "",
            "Price table that replaces the built-in one (USD per million tokens)"},
    Setting{"BLOCKLIST_FILE", &C::blocklist_file, "", "a text file, or empty", "",
            "Words added to the built-in blocklist (+word or word), or taken from it (-word), one a line"},

    Setting{"DATABASE_LISTEN_URL", &C::database_listen_url, "", "a libpq connection string or URL, or empty",
            "", "Direct connection for LISTEN where DATABASE_URL is a transaction pooler"},
    Setting{"SPOOL_PATH", &C::spool_path, "./spool/spool.db", "a file on a local disk", "",
            "The host's SQLite spool, shared by all its processes"},
    Setting{"SPOOL_MAX_BYTES", &C::spool_max_bytes, "536870912", "16777216-1099511627776", "bytes",
            "Largest size of the spool; confirmed events make room for unconfirmed ones", 16777216,
            1099511627776},
    Setting{"SPOOL_MAX_AGE_S", &C::spool_max_age_s, "604800", "60-31536000", "s",
            "Confirmed events are kept for replay so long", 60, 31536000},
    Setting{"CSV_BASE_URL", &C::csv_base_url, "", "an http(s) URL, or empty", "",
            "Where CSV_LOG_DIR is published, for logs.csv_url"},
    Setting{"RETENTION_S", &C::retention_s, "7776000", "0-315360000", "s",
            "Events and CSV logs of runs that ended longer ago are removed by prune; 0 keeps everything", 0,
            315360000},

    Setting{"CORS_ALLOWED_ORIGINS", &C::cors_allowed_origins, "*",
            "* or origins (scheme://host[:port]) separated by commas", "",
            "Web origins that may call the service"},
    Setting{"BODY_LIMIT_BYTES", &C::body_limit_bytes, "65536", "1024-65536", "bytes",
            "Largest request body; nginx's site lets no more through", 1024, 65536},
    Setting{"SSE_KEEPALIVE_S", &C::sse_keepalive_s, "15", "1-300", "s",
            "Time between two keep-alive comments", 1, 300},
    Setting{"SSE_MAX_AGE_S", &C::sse_max_age_s, "3600", "5-86400", "s",
            "A stream is ended, to be reopened by its client, after 75-100 % of this", 5, 86400},
    Setting{"SSE_MAX_STREAMS", &C::sse_max_streams, "12000", "1-100000", "streams",
            "Open streams per events process; its limit of descriptors may lower it", 1, 100000},
    Setting{"SSE_BUFFER_BYTES", &C::sse_buffer_bytes, "262144", "4096-16777216", "bytes",
            "Most bytes kept for one slow stream", 4096, 16777216},
    Setting{"SSE_STALL_S", &C::sse_stall_s, "60", "1-3600", "s",
            "A stream whose client reads nothing for so long is ended", 1, 3600},

    Setting{"RUNTIME_DIR", &C::runtime_dir, "/run/generate-project", "a folder", "",
            "Where the handlers' sockets are made; the package's units always make them in the default"},
    Setting{"START_PROCESSES", &C::start_processes, "4", "1-256", "processes", "Pool of POST /start", 1, 256},
    Setting{"STATUS_PROCESSES", &C::status_processes, "4", "1-256", "processes", "Pool of GET /status", 1,
            256},
    Setting{"HEALTH_PROCESSES", &C::health_processes, "1", "1-256", "processes", "Pool of GET /health", 1,
            256},
    Setting{"EVENTS_PROCESSES", &C::events_processes, "1", "1-64", "processes",
            "Event loops of GET /events/stream", 1, 64},
    Setting{"WORKER_PROCESSES", &C::worker_processes, "2", "1-64", "processes", "Pool of workers", 1, 64},
    Setting{"WORKER_CONCURRENCY", &C::worker_concurrency, "50", "1-1000", "runs",
            "Generations at once per worker process", 1, 1000},
    Setting{"QUEUE_MAX_RUNS", &C::queue_max_runs, "1000", "0-100000", "runs",
            "POST /start answers 429 while so many runs wait; 0: no limit", 0, 100000},
    Setting{"RUNS_MAX_PER_OWNER", &C::runs_max_per_owner, "20", "0-100000", "runs",
            "Generations at once of one owner's address, on all hosts; the rest waits; 0: no limit", 0,
            100000},
    Setting{"RUNS_MAX_PER_PROJECT", &C::runs_max_per_project, "3", "0-100000", "runs",
            "Generations at once of one project, on all hosts; the rest waits; 0: no limit", 0, 100000},
    Setting{"RUN_MAX_TAKES", &C::run_max_takes, "5", "1-100", "takes",
            "An attempt whose worker died so often ends in error, code worker_crashed", 1, 100},
    Setting{"RUN_TAKEOVER_WAIT_S", &C::run_takeover_wait_s, "5", "0-300", "s",
            "Wait before a run is taken over a second time; then three times as long each time, at most 300",
            0, 300},
    Setting{"MAX_REQUESTS", &C::max_requests, "100000", "1-1000000000", "requests",
            "A handler process is replaced after so many requests", 1, 1000000000},
    Setting{"DRAIN_S", &C::drain_s, "10", "1-600", "s", "Time a handler gets to finish after SIGTERM", 1,
            600},
    Setting{"WORKER_DRAIN_S", &C::worker_drain_s, "60", "1-3600", "s",
            "Time a worker gets to finish its runs after SIGTERM", 1, 3600},
    Setting{"LEASE_S", &C::lease_s, "30", "2-600", "s",
            "A run whose worker has been silent for so long is taken over", 2, 600},
    Setting{"LEASE_BEAT_S", &C::lease_beat_s, "5", "1-300", "s",
            "Time between two renewals; at most half of LEASE_S", 1, 300},
    Setting{"LOST_AFTER_S", &C::lost_after_s, "60", "1-3600", "s",
            "A followed run whose lease ended so long ago, and that no worker has taken over, ends in error",
            1, 3600},
    Setting{"LOG_LEVEL", &C::log_level, "info", "error, warning, notice, info or debug", "",
            "Least important line that is logged", 0, 0, "error|warning|notice|info|debug"},
};

bool is_secret(const Setting& setting) { return std::holds_alternative<Secret Config::*>(setting.member); }

std::string shown(const Setting& setting, const std::string& text) {
  return is_secret(setting) ? std::string("the given value") : fmt::format("'{}'", text);
}

std::optional<std::int64_t> parse_number(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (fault != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

bool is_choice(std::string_view choices, std::string_view text) {
  for (std::size_t at = 0; at <= choices.size();) {
    const std::size_t bar = std::min(choices.find('|', at), choices.size());
    if (choices.substr(at, bar - at) == text) return true;
    at = bar + 1;
  }
  return false;
}

/// Puts values into a Config's members and collects what does not fit.
class Reader {
 public:
  explicit Reader(Config& config) : config_(config) {}

  /// Empty: not set. Nothing where the file of a secret cannot be read, which is a fault.
  std::optional<std::string> ask(const Environment& environment, const Setting& setting) {
    try {
      return environment(setting.name).value_or("");
    } catch (const ConfigError& error) {
      faults_.insert(faults_.end(), error.faults().begin(), error.faults().end());
      return std::nullopt;
    }
  }
  void read(const Setting& setting, const std::string& text) {
    std::visit([&](auto member) { assign(setting, text, config_.*member); }, setting.member);
  }
  void add_fault(const Setting& setting, std::string problem) {
    faults_.push_back({std::string(setting.name), std::move(problem)});
  }
  void refuse(const Setting& setting, const std::string& text) {
    add_fault(setting, fmt::format("{} is not allowed; allowed: {}", shown(setting, text), setting.allowed));
  }
  std::vector<Fault> take_faults() { return std::move(faults_); }

 private:
  void assign(const Setting& setting, const std::string& text, std::string& target) {
    if (!setting.choices.empty() && !is_choice(setting.choices, text)) return refuse(setting, text);
    target = text;
  }
  /// A line break in a key would begin another header of the call; none of the secrets has a use for one.
  void assign(const Setting& setting, const std::string& text, Secret& target) {
    const auto is_control = [](unsigned char c) { return c < 0x20 || c == 0x7f; };
    if (std::ranges::any_of(text, is_control))
      return add_fault(setting, "holds a line break or another control character; allowed: one line of text");
    target = Secret(text);
  }
  void assign(const Setting& setting, const std::string& text, std::int64_t& target) {
    const auto number = parse_number(text);
    if (!number || *number < setting.minimum || *number > setting.maximum) return refuse(setting, text);
    target = *number;
  }
  void assign(const Setting& setting, const std::string& text, std::chrono::seconds& target) {
    std::int64_t seconds = target.count();
    assign(setting, text, seconds);
    target = std::chrono::seconds(seconds);
  }

  Config& config_;
  std::vector<Fault> faults_;
};

const Setting& find_setting(std::string_view name) {
  return *std::find_if(kSettings.begin(), kSettings.end(), [&](const Setting& s) { return s.name == name; });
}

bool consists_of(std::string_view text, std::string_view characters) {
  return !text.empty() && text.find_first_not_of(characters) == std::string_view::npos;
}

/// http:// or https://, and a host behind it.
bool is_http_url(const std::string& text) {
  const bool has_scheme = text.starts_with("http://") || text.starts_with("https://");
  if (!has_scheme || text.find_first_of(" \t\r\n") != std::string::npos) return false;
  const auto host = text.find("://") + 3;
  return host < text.size() && std::string_view("/?#:@").find(text[host]) == std::string_view::npos;
}

bool is_temperature(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  return *end == '\0' && value >= 0 && value <= 2;
}

bool is_json_object(const std::string& text) {
  try {
    return parse_json(text).is_object();
  } catch (const Error&) {
    return false;
  }
}

constexpr std::string_view kAlphanumeric = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// host[:port], an IPv6 address in brackets.
bool is_host_and_port(std::string_view text) {
  const bool is_bracketed = text.starts_with('[');
  const auto end =
      is_bracketed ? text.find(']') + 1 : std::min(text.find(':'), text.size());  // npos + 1 is 0
  const std::string_view host = text.substr(0, end);
  const std::string_view port = text.substr(end);
  const bool is_host = is_bracketed ? end > 2 && consists_of(host, "[]:.0123456789abcdefABCDEF")
                                    : consists_of(host, std::string(kAlphanumeric) + ".-_");
  if (!is_host || port.empty()) return is_host;
  const auto number = parse_number(std::string(port.substr(1)));
  return port.front() == ':' && number && *number >= 1 && *number <= 65535;
}

/// What a browser sends as Origin (RFC 6454, section 7): scheme://host[:port], or null for a page from a file
/// or a sandboxed frame.
bool is_origin(std::string_view text) {
  if (text == "null") return true;
  const auto colon = text.find("://");
  return colon != std::string_view::npos &&
         consists_of(text.substr(0, colon), std::string(kAlphanumeric) + "+-.") &&
         is_host_and_port(text.substr(colon + 3));
}

/// Blanks, and commas with nothing between them, do no harm: http::Cors passes over them.
bool are_origins(std::string text) {
  std::erase(text, ' ');
  for (std::string_view left = text; !left.empty();) {
    const std::string_view origin = left.substr(0, left.find(','));
    if (!origin.empty() && origin != "*" && !is_origin(origin)) return false;
    left.remove_prefix(std::min(origin.size() + 1, left.size()));
  }
  return true;
}

/// What one row of the table cannot say: rules between settings, and formats.
void check_formats(const Config& config, Reader& reader) {
  const auto check = [&](std::string_view name, const std::string& text, auto&& fits) {
    if (!fits(text)) reader.refuse(find_setting(name), text);
  };
  const auto check_given = [&](std::string_view name, const std::string& text, auto&& fits) {
    if (!text.empty()) check(name, text, fits);
  };
  check("OPENAI_BASE_URL", config.openai_base_url, is_http_url);
  check("CORS_ALLOWED_ORIGINS", config.cors_allowed_origins, are_origins);
  check_given("LLM_TEMPERATURE", config.llm_temperature, is_temperature);
  check_given("LLM_EXTRA_JSON", config.llm_extra_json, is_json_object);
  check_given("CSV_BASE_URL", config.csv_base_url, is_http_url);
  if (config.lease_beat_s * 2 > config.lease_s) {
    reader.add_fault(find_setting("LEASE_BEAT_S"),
                     fmt::format("'{}' is not allowed; allowed: at most half of LEASE_S ({})",
                                 config.lease_beat_s.count(), config.lease_s.count()));
  }
}

std::string describe(const std::vector<Fault>& faults) {
  std::string text = "wrong settings:";
  for (const Fault& fault : faults) text += fmt::format("\n  {}: {}", fault.field, fault.problem);
  return text;
}

/// By such a variable the units of a package give a setting their own default. It holds where the settings
/// file has an empty line as well, which would hide a default of the setting's own name.
constexpr std::string_view kDefaultPrefix = "GP_DEFAULT_";

std::optional<std::string> read_variable(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr || *value == '\0') return std::nullopt;
  return std::string(value);
}

std::string range_and_unit(const Setting& setting) {
  return setting.unit.empty() ? std::string(setting.allowed)
                              : fmt::format("{} {}", setting.allowed, setting.unit);
}

}  // namespace

std::span<const Setting> settings() { return kSettings; }

ConfigError::ConfigError(std::vector<Fault> faults)
    : Error(ErrorKind::kBadInput, describe(faults)), faults_(std::move(faults)) {}

Environment process_environment() {
  return [](std::string_view name) -> std::optional<std::string> {
    if (auto value = read_variable(name)) return value;
    if (is_secret(find_setting(name)))
      return find_secret_file(name, read_variable, read_variable("CREDENTIALS_DIRECTORY"));
    return read_variable(std::string(kDefaultPrefix) + std::string(name));
  };
}

Config load_config(const Environment& environment, std::span<const std::string_view> required) {
  Config config;
  Reader reader(config);
  for (const Setting& setting : kSettings) {
    const auto given = reader.ask(environment, setting);
    if (!given) continue;
    const bool is_given = !given->empty();
    reader.read(setting, is_given ? *given : std::string(setting.default_value));
    if (!is_given && setting.default_value.empty() &&
        std::ranges::find(required, setting.name) != required.end()) {
      reader.add_fault(setting, fmt::format("not set; allowed: {}", setting.allowed));
    }
  }
  check_formats(config, reader);
  auto faults = reader.take_faults();
  if (!faults.empty()) throw ConfigError(std::move(faults));
  if (config.database_listen_url.empty()) config.database_listen_url = config.database_url;
  return config;
}

std::string settings_help() {
  std::string text = "Settings are environment variables:\n";
  for (const Setting& setting : kSettings) {
    text += fmt::format(
        "  {:<25} {}\n  {:<25} allowed: {}{}\n", setting.name, setting.help, "", range_and_unit(setting),
        setting.default_value.empty() ? "" : fmt::format("; default: {}", setting.default_value));
  }
  text += "A secret may also be given as a file: NAME_FILE=path, or a systemd credential called NAME.\n";
  return text;
}

std::string settings_sample() {
  std::string text =
      "# Settings of generate-project. Each line shows the default; remove the # to change it.\n";
  for (const Setting& setting : kSettings) {
    text += fmt::format("\n# {}\n# Allowed: {}\n#{}={}\n", setting.help, range_and_unit(setting),
                        setting.name, setting.default_value);
  }
  return text;
}

}  // namespace gp
