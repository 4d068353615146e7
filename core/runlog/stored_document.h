#pragma once

#include <string>

#include "core/pg/session.h"

namespace gp::runlog {

/// A JSON text that PostgreSQL holds or makes, with an entity tag that PostgreSQL compares.
struct StoredDocument {
  std::string etag;  ///< quoted strong entity tag: a hash of the text, made by PostgreSQL
  std::string text;  ///< empty where the caller's etag still matches
};

/// Of a row with the columns tag and text.
StoredDocument read_document(const pg::Result& rows, int row);

/// An entity tag as the statements compare it: without its quotes; empty where it is none of ours.
std::string unquoted_tag(const std::string& etag);

}  // namespace gp::runlog
