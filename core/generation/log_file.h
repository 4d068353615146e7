#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>

/// Files of a run's log, which a full disk, a kill or a second writer never leaves with half of something for
/// those who come later. Folders are made where they are missing; modes are the umask's business. Nothing is
/// synchronised: what a power cut takes from the end is lost, and found by the next append. All throw
/// Error(kUnavailable): "cannot write '<path>': <reason>". Any process, any thread.
namespace gp::generation {

/// Puts `text` in the place of the file at `path`, whole or not at all. A process that is killed meanwhile
/// leaves a draft beside it, `.<name>.<uuid>`.
void replace_file(const std::filesystem::path& path, std::string_view text);

/// Appends `record` to the RFC 4180 file at `path`, whole or not at all; a file without records gets `header`
/// first. Both end in CRLF. What is left of a record that was cut short - its writer was killed - is removed
/// first: the rest of a quoted cell would swallow the records after it, and half a character would make the
/// file unreadable.
///
/// Two workers may append to one file where a run is taken over. They take turns by a lock that ends with its
/// holder. A holder may stand still (SIGSTOP): who has waited for a second goes on without it.
void append_record(const std::filesystem::path& path, std::string_view header, std::string_view record);

/// The size of the records in `text` that are whole: all but what has been cut short at its end. A record
/// whose CRLF lacks the LF is whole.
std::size_t size_of_records(std::string_view text);

}  // namespace gp::generation
