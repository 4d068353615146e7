#include "core/runlog/stored_document.h"

#include <fmt/format.h>

namespace gp::runlog {

StoredDocument read_document(const pg::Result& rows, int row) {
  StoredDocument document{fmt::format("\"{}\"", rows.text(row, "tag")), {}};
  if (!rows.is_null(row, "text")) document.text = rows.text(row, "text");
  return document;
}

std::string unquoted_tag(const std::string& etag) {
  return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"' ? etag.substr(1, etag.size() - 2)
                                                                       : std::string();
}

}  // namespace gp::runlog
