#pragma once

namespace gp {

/// Exit codes of every program of the project; the values from 64 up are those of sysexits.h, which systemd
/// knows.
enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,  ///< the work was done and its answer is "no" (a run ended in error, doctor found a fault)
  kUsage = 64,   ///< the command line is wrong
  kUnavailable = 69,  ///< a dependency could not be reached
  kSoftware = 70,     ///< a bug
  kConfig =
      78,  ///< a setting is missing or wrong, or the schema version does not fit: restarting will not help
};

constexpr int to_int(ExitCode code) { return static_cast<int>(code); }

}  // namespace gp
