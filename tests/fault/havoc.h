#pragma once

#include <functional>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "core/base/clock.h"
#include "tests/support/stack.h"

namespace fault {

/// Does harm to a stack, at random but from a seed: kills, stops and restarts its processes, takes its
/// database and its disk away, damages its spool, makes its LLM fail. What has to be undone is undone in
/// time, and all of it by heal(). One thread.
class Havoc {
 public:
  /// `disk` is where the spool lies, on a file system of its own; empty: the disk is not filled.
  Havoc(const support::Stack& stack, std::uint64_t seed, std::string disk);

  /// Undoes what is due, and does the next harm where its time has come. Prints each with its time.
  void turn();

  /// Undoes everything; there is no more harm.
  void heal();

  /// How often each kind was done.
  const std::map<std::string, int>& counts() const { return counts_; }

 private:
  struct Kind {
    std::string name;
    int weight;
    std::function<void()> act;
  };
  struct Undo {
    gp::SteadyTime due;
    std::function<void()> act;
  };

  void do_one();
  void later(std::chrono::milliseconds wait, std::function<void()> act);
  void undo_due(bool all);
  std::chrono::milliseconds between(int least, int most);
  int child_of(const std::string& pool);
  void signal_child(const std::string& pool, int signal);
  void nap(const std::string& pool);
  void kill_pool(const std::string& pool);
  void restart(const std::string& pool);
  void take_database_away();
  void end_sessions();
  void fail_llm();
  void damage_spool();
  void fill_disk();

  const support::Stack& stack_;
  std::mt19937_64 random_;
  std::string disk_;
  std::vector<Kind> kinds_;
  std::vector<Undo> undos_;
  std::map<std::string, int> counts_;
  bool is_database_away_ = false;
  std::map<std::string, std::jthread> restarts_;
  gp::SteadyTime begun_ = gp::steady_now();
  gp::SteadyTime next_ = gp::steady_now() + std::chrono::seconds(2);
};

}  // namespace fault
