#pragma once

#include <cstddef>

#include "core/base/error.h"

namespace gp::project {

/// That are told at once: an answer of 1 MiB can be wrong in tens of thousands of places, and who has to put
/// it right needs to see what is wrong, not each time it is.
constexpr std::size_t kMostFaultsShown = 50;

/// `fault` as it may be stored, logged and shown to an LLM, whatever names it quotes: valid UTF-8, personal
/// data redacted, neither part longer than 200 characters (with "..." where something was cut).
Fault shown_fault(const Fault& fault);

}  // namespace gp::project
