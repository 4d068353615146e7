#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <unordered_map>

#include "core/base/ids.h"
#include "core/runlog/stored_document.h"

namespace gp::runlog {

/// Documents that one process has read, each with the version of its row, so that an unchanged one need not
/// be made and sent by PostgreSQL again. Whether it is unchanged PostgreSQL is asked every time. The least
/// recently used go beyond `max_bytes` of text. One thread.
class DocumentMemory {
 public:
  explicit DocumentMemory(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  struct Entry {
    std::string version;
    StoredDocument document;  ///< its text is empty where it was not read
  };

  /// Null where there is none. Valid until the next call of another member.
  const Entry* find(const ProjectId& project_id);
  void keep(const ProjectId& project_id, Entry entry);
  void forget(const ProjectId& project_id);
  void clear();

 private:
  struct Place {
    ProjectId project_id;
    Entry entry;
  };
  using Places = std::list<Place>;
  static std::size_t bytes_of(const Place& place);
  void remove(Places::iterator place);

  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  Places places_;  ///< the most recently used first
  std::unordered_map<ProjectId, Places::iterator> index_;
};

}  // namespace gp::runlog
