#pragma once

namespace gp::runlog {

/// What became of a try to end a run that no generation ends.
enum class EndOutcome {
  kEnded,
  kNotOurs,  ///< somebody else has it, or has ended it
  kLocked,   ///< somebody has locked its project: it is left to its lease, and whoever takes it next ends it
};

}  // namespace gp::runlog
