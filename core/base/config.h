#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/error.h"
#include "core/base/secret.h"

namespace gp {

/// Every setting of the service. Names, units, defaults and ranges stand once, in the table of config.cc;
/// members are named after their environment variable. A value is read once at start, before the
/// processes are forked: a changed one needs a restart.
struct Config {
  using Seconds = std::chrono::seconds;

  // What every caller of the service knows by name.
  Secret openai_api_key;
  Secret database_url;
  std::int64_t port = 0;
  std::string model_primary;
  std::string csv_log_dir;

  // The LLM.
  std::string openai_base_url;
  std::string model_fallback;
  std::string llm_response_format;
  std::string llm_max_tokens_param;
  std::int64_t llm_max_tokens = 0;
  std::string llm_reasoning_effort;
  std::string llm_temperature;
  std::string llm_extra_json;
  std::int64_t llm_max_calls = 0;
  Seconds llm_connect_timeout_s{};
  Seconds llm_first_byte_timeout_s{};
  Seconds llm_idle_timeout_s{};
  Seconds run_timeout_s{};
  std::string prices_file;
  std::string blocklist_file;

  // Storage.
  Secret database_listen_url;  ///< empty: the same as database_url
  std::string spool_path;
  std::int64_t spool_max_bytes = 0;
  Seconds spool_max_age_s{};
  std::string csv_base_url;
  Seconds retention_s{};  ///< 0: everything is kept

  // HTTP and streams.
  std::string cors_allowed_origins;
  std::int64_t body_limit_bytes = 0;
  Seconds sse_keepalive_s{};
  Seconds sse_max_age_s{};
  std::int64_t sse_max_streams = 0;
  std::int64_t sse_buffer_bytes = 0;
  Seconds sse_stall_s{};

  // Processes.
  std::string runtime_dir;
  std::int64_t start_processes = 0;
  std::int64_t status_processes = 0;
  std::int64_t health_processes = 0;
  std::int64_t events_processes = 0;
  std::int64_t worker_processes = 0;
  std::int64_t worker_concurrency = 0;
  std::int64_t queue_max_runs = 0;
  std::int64_t runs_max_per_owner = 0;
  std::int64_t runs_max_per_project = 0;
  std::int64_t run_max_takes = 0;
  Seconds run_takeover_wait_s{};
  std::int64_t max_requests = 0;
  Seconds drain_s{};
  Seconds worker_drain_s{};
  Seconds lease_s{};
  Seconds lease_beat_s{};
  Seconds lost_after_s{};
  std::string log_level;
};

/// One row of the table of settings.
struct Setting {
  using Member = std::variant<std::string Config::*, Secret Config::*, std::int64_t Config::*,
                              std::chrono::seconds Config::*>;

  std::string_view name;           ///< the environment variable
  Member member;                   ///< its place in Config; also decides how the text is read
  std::string_view default_value;  ///< as text; empty also means "not set"
  std::string_view allowed;        ///< for people: "1-65535", "a URL", "one of a, b, c"
  std::string_view unit;           ///< "s", "bytes", "processes" ... or empty
  std::string_view help;           ///< one line
  std::int64_t minimum = 0;        ///< for numbers and durations
  std::int64_t maximum = 0;
  std::string_view choices = {};  ///< for strings: allowed values, separated by '|'; empty allows any
};

/// The whole table, in the order in which --help and the sample file show it.
std::span<const Setting> settings();

/// Thrown by load_config: every fault at once, `field` being the variable's name. Exit code kConfig.
class ConfigError : public Error {
 public:
  explicit ConfigError(std::vector<Fault> faults);
  const std::vector<Fault>& faults() const noexcept { return faults_; }

 private:
  std::vector<Fault> faults_;
};

/// How load_config reads a variable; a test passes its own. Nothing: not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

/// The process's own environment, in which `NAME_FILE` (or systemd's $CREDENTIALS_DIRECTORY/NAME) may stand
/// for the secret settings: the file's content without its trailing newline is then the value. For the others
/// `GP_DEFAULT_NAME` is the value where NAME is empty or missing. Asking throws ConfigError where NAME_FILE
/// cannot be read.
Environment process_environment();

/// Reads every setting. An empty variable counts as not set. `required` names the settings this program
/// cannot do without. Throws ConfigError naming each variable, its value (never a secret's) and what is
/// allowed; also each NAME_FILE that cannot be read.
Config load_config(const Environment& environment, std::span<const std::string_view> required);

/// The table for `--help`: name, default, allowed values and meaning.
std::string settings_help();

/// The table as a commented environment file, each line disabled: what packaging installs as the sample.
std::string settings_sample();

}  // namespace gp
