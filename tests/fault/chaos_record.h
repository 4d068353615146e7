#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/base/json.h"

namespace fault {

/// What the clients of a chaos run have seen and done: all that its checker knows beside the stores.
struct ChaosRecord {
  struct Seen {
    std::int64_t id = 0;
    std::string name;
    std::string data;
  };
  struct Client {
    std::string run_id;
    std::int64_t after = 0;   ///< the cursor it came with
    bool has_stayed = false;  ///< to the run's end; others went away before
    std::vector<Seen> events;
  };

  std::map<std::string, std::vector<std::string>>
      run_ids;                         ///< by project: what every POST /start of it answered
  std::vector<std::string> addresses;  ///< the owners'
  std::vector<Client> clients;
  std::vector<gp::Json> calls;  ///< the simulated LLM's journal
  std::string database_url;
  std::string folder;  ///< with every file the service writes
  std::string spool;   ///< the spool's file
};

/// What must hold after all that, read from the stores, the logs and the clients' records and computed
/// without the service's code. Prints a summary; returns what does not hold, one sentence each.
std::vector<std::string> check_chaos(const ChaosRecord& record);

}  // namespace fault
