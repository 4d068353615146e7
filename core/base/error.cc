#include "core/base/error.h"

#include <utility>

namespace gp {

std::string_view name_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kBadInput:
      return "bad_input";
    case ErrorKind::kNotFound:
      return "not_found";
    case ErrorKind::kConflict:
      return "conflict";
    case ErrorKind::kTooLarge:
      return "too_large";
    case ErrorKind::kUnavailable:
      return "unavailable";
    case ErrorKind::kInDoubt:
      return "in_doubt";
    case ErrorKind::kSchema:
      return "schema";
    case ErrorKind::kBug:
      return "bug";
  }
  return "bug";
}

Error::Error(ErrorKind kind, const std::string& message, std::string code, std::source_location where)
    : std::runtime_error(message), kind_(kind), code_(std::move(code)), where_(where) {}

}  // namespace gp
