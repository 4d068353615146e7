#pragma once

#include <chrono>
#include <cstddef>
#include <string>

#include "core/base/config.h"

namespace gp::streaming {

struct StreamOptions {
  std::chrono::milliseconds keepalive{15000};
  std::chrono::milliseconds max_age{3600000};        ///< a stream is ended after 75-100 % of it
  std::chrono::milliseconds stall{60000};            ///< a client that takes nothing for so long is dropped
  std::chrono::milliseconds log_patience{1000};      ///< a new stream waits so long for the log, then opens
  std::chrono::milliseconds request_patience{5000};  ///< a connection may take so long to send its request
  std::chrono::milliseconds drain{2000};             ///< at a stop, for the last bytes of clients that are
                                                     ///< behind: not DRAIN_S, after which the master kills
  std::size_t max_streams = 12000;                   ///< polls included
  std::size_t buffer_bytes = 262144;                 ///< most bytes that wait for one slow client
  std::string allowed_origins = "*";
};

StreamOptions stream_options(const Config& config);

}  // namespace gp::streaming
