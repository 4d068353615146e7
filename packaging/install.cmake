# What `cmake --install` puts where; packaging/debian/rules adds what only a Debian package has (units, settings, documentation).
#   bin/generate-project                  the command line for people
#   libexec/generate-project/gp-*         the handlers: nobody starts them by hand
#   share/generate-project/               GP_DATA_DIR (handlers/CMakeLists.txt): what the command line reads, and what an operator may look at or copy
#     nginx/                              the site and its snippets, with @NAMES@ to fill in (packaging/configure-nginx tells which)
#     www/                                the web page and openapi.json
#     migrations/                         the SQL that `generate-project migrate` applies (it carries its own copy)
#     prices.json  blocklist/             the built-in tables, as patterns for PRICES_FILE and BLOCKLIST_FILE

install(TARGETS generate-project RUNTIME)
install(TARGETS gp-start gp-status gp-health gp-events gp-worker RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/generate-project)
install(DIRECTORY nginx/snippets DESTINATION ${GP_DATA_DIR}/nginx FILES_MATCHING PATTERN "*.conf")
install(FILES nginx/generate-project.conf.in DESTINATION ${GP_DATA_DIR}/nginx)
install(DIRECTORY nginx/www DESTINATION ${GP_DATA_DIR})
install(DIRECTORY core/runlog/migrations DESTINATION ${GP_DATA_DIR} FILES_MATCHING PATTERN "*.sql")
install(FILES core/llm/prices.json DESTINATION ${GP_DATA_DIR})
install(DIRECTORY core/project/blocklist DESTINATION ${GP_DATA_DIR} FILES_MATCHING PATTERN "*.txt")
