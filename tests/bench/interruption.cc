#include "tests/bench/interruption.h"

#include <csignal>
#include <stdexcept>

namespace bench {
namespace {

volatile std::sig_atomic_t interrupted = 0;

void note(int) { interrupted = 1; }

}  // namespace

void catch_interruptions() {
  std::signal(SIGINT, note);
  std::signal(SIGTERM, note);
}

bool is_interrupted() noexcept { return interrupted != 0; }

void throw_if_interrupted() {
  if (is_interrupted()) throw std::runtime_error("interrupted");
}

}  // namespace bench
