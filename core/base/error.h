#pragma once

#include <source_location>
#include <stdexcept>
#include <string>
#include <string_view>

namespace gp {

/// What a caller can do about a failure. The serve loop maps each kind to one HTTP status
/// (core/http/problem.cc), main maps each to one exit code (exit_code.h).
enum class ErrorKind {
  kBadInput,     ///< the caller's data is wrong; the same call will fail again
  kNotFound,     ///< the thing named does not exist
  kConflict,     ///< the thing exists in a state that forbids the call
  kTooLarge,     ///< a size limit was passed
  kUnavailable,  ///< a dependency is away; the call may be tried again later
  kInDoubt,      ///< the connection was lost during COMMIT: the change may or may not have happened
  kSchema,       ///< program and database do not fit each other: the process ends, no restart can help
  kBug,          ///< a promise of our own code was broken; tell a developer
};

std::string_view name_of(ErrorKind kind);

/// The one exception type of the project, for failures that the immediate caller does not branch on.
///
/// `what()` is a sentence for people. It never holds a secret, an e-mail address, or a row's values: the
/// places that build it from a library's message (pg/, sqlite/, curl/) keep only the part that names the
/// fault.
///
/// Caught by the serve loop, by main, and at the border of a C callback, a thread or a destructor, which
/// report it; and where a kind has a remedy: a lost connection is made anew, a spool that is away is done
/// without. Such a place names the kinds that it knows a remedy for and lets the others pass.
class Error : public std::runtime_error {
 public:
  explicit Error(ErrorKind kind, const std::string& message, std::string code = {},
                 std::source_location where = std::source_location::current());

  ErrorKind kind() const noexcept { return kind_; }
  /// The library's own code where there is one: an SQLSTATE ("23505"), "CURLE_28", "SQLITE_13". Empty
  /// otherwise.
  const std::string& code() const noexcept { return code_; }
  const std::source_location& where() const noexcept { return where_; }

 private:
  ErrorKind kind_;
  std::string code_;
  std::source_location where_;
};

/// One thing that is wrong with one named part of an input. Checks report all of them at once.
struct Fault {
  std::string
      field;  ///< a member's name or a path into the document, such as "group_size" or "sections.sec_01"
  std::string problem;  ///< what is wrong and what is allowed, without quoting personal data

  friend bool operator==(const Fault&, const Fault&) = default;
};

}  // namespace gp
