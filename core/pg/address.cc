#include "core/pg/address.h"

#include <memory>
#include <string_view>

#include <libpq-fe.h>

#include "core/base/error.h"

namespace gp::pg {
namespace {

struct OptionsDeleter {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};
using OptionsPtr = std::unique_ptr<PQconninfoOption, OptionsDeleter>;

/// Empty where the address does not say.
std::string_view value_of(const OptionsPtr& options, std::string_view keyword) {
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->keyword == keyword) return option->val == nullptr ? "" : option->val;
  }
  return {};
}

/// Names with commas between. The folder of a socket may be called anything: /home/me@school.ae/run.
bool are_hosts(std::string_view list) {
  for (auto end = list.find(',');; end = list.find(',')) {
    const std::string_view host = list.substr(0, end);
    if (!host.starts_with('/') && host.find_first_of("@ \t\r\n") != std::string_view::npos) return false;
    if (end == std::string_view::npos) return true;
    list.remove_prefix(end + 1);
  }
}

/// Numbers with commas between, or nothing.
bool are_ports(std::string_view list) {
  return list.find_first_not_of("0123456789,") == std::string_view::npos;
}

/// In u:12/34@host/db libpq finds the host u, the port 12 and the database 34@host/db; in u:12@34/56@host/db
/// the host 34. An '@' that does belong to a database's name can be written %40.
bool has_at_in_path(std::string_view address) {
  if (!address.starts_with("postgresql://") && !address.starts_with("postgres://")) return false;
  address.remove_prefix(address.find("//") + 2);
  address = address.substr(0, address.find('?'));
  const auto path = address.find('/');
  return path != std::string_view::npos && address.find('@', path) != std::string_view::npos;
}

}  // namespace

void check_address(const Secret& conninfo) {
  const OptionsPtr options(PQconninfoParse(conninfo.reveal().c_str(), nullptr));
  if (options && are_hosts(value_of(options, "host")) && are_ports(value_of(options, "port")) &&
      !has_at_in_path(conninfo.reveal())) {
    return;
  }
  throw Error(
      ErrorKind::kUnavailable,
      "the database's address is not a libpq connection string; in a URL's password @ : / % and blanks "
      "must be percent-encoded");
}

}  // namespace gp::pg
