#pragma once

#include "core/base/ids.h"

namespace gp::project {

/// What the column projects.id is, as far as the same project may be named in several ways.
enum class IdColumn {
  kText,     ///< and all else that takes a name as it is
  kUuid,     ///< in upper case, without hyphens, in braces
  kInteger,  ///< with zeros or a sign before it, and as PostgreSQL 16 and later read numbers (0x2a, 1_000)
};

/// The one name that stands for all by which such a column finds the same project: what the column's value is
/// as text. One that the column cannot hold stays as it is: it names no project.
ProjectId canonical_id(const ProjectId& id, IdColumn column);

}  // namespace gp::project
