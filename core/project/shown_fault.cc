#include "core/project/shown_fault.h"

#include <string>

#include "core/base/utf8.h"
#include "core/project/redaction.h"

namespace gp::project {
namespace {

constexpr std::size_t kMaxLength = 200;
constexpr std::size_t kEllipsis = 3;

/// Redacted before it is cut: half an address would no longer be known as one.
std::string shown(const std::string& text) {
  const std::string much = utf8::truncate(utf8::sanitize(text), 10 * kMaxLength);
  return utf8::truncate(redact(much), kMaxLength - kEllipsis);
}

}  // namespace

Fault shown_fault(const Fault& fault) { return {shown(fault.field), shown(fault.problem)}; }

}  // namespace gp::project
