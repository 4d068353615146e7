#pragma once

#include <cstdint>
#include <string>

namespace gp::ctl {

/// True for a folder that is not there yet and that systemd makes when the service starts: StateDirectory=
/// and LogsDirectory= of the units.
bool is_made_at_start(const std::string& folder);

/// True where both names mean the same folder: a slash at the end, . and .. make no difference.
bool is_same_folder(const std::string& one, const std::string& other);

/// True for `folder` itself and what is below it, by their names.
bool is_within(const std::string& path, const std::string& folder);

/// Why this process could not make files in `folder`, as a sentence; empty where it could, or could make the
/// folder itself.
std::string folder_fault(const std::string& folder);

/// Bytes that this process could still write to the disk that `folder`, or the nearest folder above it that
/// exists, is on; -1: not known.
std::int64_t free_bytes(const std::string& folder);

}  // namespace gp::ctl
