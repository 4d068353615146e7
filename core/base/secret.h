#pragma once

#include <string>
#include <utility>

namespace gp {

/// A string that must not be shown: an API key, a database password, an owner's e-mail address.
///
/// It has no operator<< and no fmt formatter, so that printing it does not compile. `reveal()` is called only
/// where the value is handed to the library that needs it.
class Secret {
 public:
  Secret() = default;
  explicit Secret(std::string value) : value_(std::move(value)) {}

  const std::string& reveal() const noexcept { return value_; }
  bool empty() const noexcept { return value_.empty(); }

  friend bool operator==(const Secret&, const Secret&) = default;

 private:
  std::string value_;
};

}  // namespace gp
