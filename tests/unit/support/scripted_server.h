#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "core/base/unique_fd.h"

/// A TCP server on the loopback that does with each connection what the test says. Serves one after another,
/// in a thread of its own, and keeps what each of them asked.
class ScriptedServer {
 public:
  /// `serve` gets the socket (blocking) after its request has been read; the connection is closed when it
  /// returns. `number` counts connections from 0.
  using Serve = std::function<void(int fd, int number)>;

  explicit ScriptedServer(Serve serve);
  ~ScriptedServer();
  ScriptedServer(const ScriptedServer&) = delete;
  ScriptedServer& operator=(const ScriptedServer&) = delete;

  int port() const noexcept { return port_; }
  std::vector<std::string> requests() const;

 private:
  void run();

  gp::UniqueFd listener_;
  int port_ = 0;
  Serve serve_;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;  ///< guarded by mutex_
  std::jthread thread_;
};
