#pragma once

#include "core/base/secret.h"

namespace gp::pg {

/// Throws Error(kUnavailable), with a fixed sentence, where libpq would take part of the password for
/// something else: it tells such a part in its messages, which go into logs. A URL whose password holds a
/// bare '@', '/' or '%' is read so, and a string of keywords whose password holds a blank without quotes.
///
/// Not another kind: callers take a server that cannot be reached and an address that leads nowhere alike,
/// they try again and answer 503. kBadInput would blame an HTTP client, kSchema the database's tables.
void check_address(const Secret& conninfo);

}  // namespace gp::pg
