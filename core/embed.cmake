# embed_text(<out> SYMBOL <namespace::name> FILE <path>): writes <out>, a .cc that defines `extern const std::string_view <name>` with
# the file's text. The file's readers declare it. A change of the file rebuilds it.
function(embed_text out)
  cmake_parse_arguments(TEXT "" "SYMBOL;FILE" "" ${ARGN})
  cmake_path(ABSOLUTE_PATH TEXT_FILE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${TEXT_FILE})
  string(FIND ${TEXT_SYMBOL} "::" split REVERSE)
  string(SUBSTRING ${TEXT_SYMBOL} 0 ${split} namespace)
  math(EXPR split "${split} + 2")
  string(SUBSTRING ${TEXT_SYMBOL} ${split} -1 name)
  file(READ ${TEXT_FILE} text)
  raw_literals(literals "${text}")
  file(CONFIGURE OUTPUT ${out} CONTENT "#include <string_view>

namespace ${namespace} {
extern const std::string_view ${name};
const std::string_view ${name} = ${literals};
}  // namespace ${namespace}
" @ONLY)
endfunction()

# A raw string literal may hold 65,536 bytes in some compilers and MSVC 16,380: cut into pieces that the compiler joins.
function(raw_literals out text)
  string(LENGTH "${text}" length)
  set(result "")
  set(at 0)
  while(at LESS length)
    string(SUBSTRING "${text}" ${at} 12000 piece)
    string(APPEND result "R\"~~(${piece})~~\"\n")
    math(EXPR at "${at} + 12000")
  endwhile()
  set(${out} "${result}" PARENT_SCOPE)
endfunction()

# embed_sql(<out> NAMESPACE <namespace> FOLDER <path> [PLAIN]): a k<UpperCamel> for each <verb_noun>.sql, and all() of them, in a header
# <out>.h and its <out>.cc: a pg::Statement, with PLAIN the text alone (std::string_view).
function(embed_sql out)
  cmake_parse_arguments(SQL "PLAIN" "NAMESPACE;FOLDER" "" ${ARGN})
  cmake_path(ABSOLUTE_PATH SQL_FOLDER)
  if(SQL_PLAIN)
    set(type std::string_view)
    set(include "<string_view>")
  else()
    set(type pg::Statement)
    set(include "\"core/pg/statement.h\"")
  endif()
  file(GLOB files CONFIGURE_DEPENDS ${SQL_FOLDER}/*.sql)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${files})
  set(declarations "")
  set(definitions "")
  set(entries "")
  foreach(file ${files})
    cmake_path(GET file STEM stem)
    string(REPLACE "_" ";" words ${stem})
    set(name k)
    foreach(word ${words})
      string(SUBSTRING ${word} 0 1 first)
      string(SUBSTRING ${word} 1 -1 rest)
      string(TOUPPER ${first} first)
      string(APPEND name ${first}${rest})
    endforeach()
    file(READ ${file} text)
    raw_literals(literals "${text}")
    if(NOT SQL_PLAIN)
      string(PREPEND literals "\"${stem}\", ")
    endif()
    string(APPEND declarations "extern const ${type} ${name};\n")
    string(APPEND definitions "const ${type} ${name}{${literals}};\n")
    string(APPEND entries "&${name}, ")
  endforeach()
  cmake_path(GET out FILENAME header)
  file(CONFIGURE OUTPUT ${out}.h CONTENT "#pragma once
// Made from ${SQL_FOLDER}: one statement a file.
#include <span>
#include ${include}

namespace ${SQL_NAMESPACE} {
${declarations}
std::span<const ${type}* const> all();
}  // namespace ${SQL_NAMESPACE}
" @ONLY)
  file(CONFIGURE OUTPUT ${out}.cc CONTENT "#include \"${header}.h\"

namespace ${SQL_NAMESPACE} {
${definitions}
namespace {
const ${type}* const kAll[] = {${entries}};
}
std::span<const ${type}* const> all() { return kAll; }
}  // namespace ${SQL_NAMESPACE}
" @ONLY)
endfunction()
