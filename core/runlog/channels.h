#pragma once

namespace gp::runlog {

/// The NOTIFY channels. A ring says "look again": it carries no data that is not in the tables.
inline constexpr const char* kQueueChannel = "generation_queue";  ///< payload empty: a run waits
inline constexpr const char* kCancelsChannel =
    "generation_cancels";                                           ///< payload empty: a run is to be stopped
inline constexpr const char* kEventsChannel = "generation_events";  ///< payload: run ids, separated by commas

}  // namespace gp::runlog
