#pragma once

#include <cstddef>
#include <deque>
#include <mutex>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/ids.h"
#include "core/project/step.h"

namespace gp::generation {

/// The steps that wait in memory, in order, because the spool cannot take them; and, so that a run's steps
/// keep their order, how many of each lease the spool has and PostgreSQL has not decided. Pure; thread-safe.
class Overflow {
 public:
  /// A step before it goes to the spool. True where earlier ones of its run wait here: then it waits behind
  /// them. False: it counts as the spool's from here on; where that does not take it, keep().
  bool follow(const project::Step& step);

  /// The spool did not take it: it waits here.
  void keep(const project::Step& step);

  /// True while a step under this lease, here or in the spool, is not decided.
  bool has_undecided(const LeaseToken& token) const;

  std::size_t size() const;

  /// What may be sent now of what waits here.
  struct Choice {
    std::size_t count = 0;                     ///< of the first so many
    std::size_t most = 0;                      ///< so many of them
    std::span<const std::string> beside = {};  ///< none of these runs
    bool is_spool_unread = false;              ///< none that follows one in the spool
  };
  struct Taken {
    std::vector<std::size_t> places;  ///< valid until the next remove(), whatever comes meanwhile
    std::vector<project::Step> steps;
  };
  Taken look(const Choice& choice) const;

  /// Those at these places, in ascending order, are decided.
  void remove(std::span<const std::size_t> places);

  /// A step that the spool has is decided. One that this process has not submitted (a dead worker's) does not
  /// count.
  void forget_spooled(const project::Step& step);

 private:
  void uncount(const project::Step& step);

  mutable std::mutex mutex_;
  std::deque<project::Step> waiting_;                     ///< newer than every row of their runs
  std::unordered_map<std::string, std::size_t> spooled_;  ///< by lease (its token)
};

}  // namespace gp::generation
