# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # work and build are set by the caller
# Programs of this machine's in the container's network (nsenter is replaced by them, so they are ended by the id that the shell knows): the
# simulated LLM, and callers at work while something is done to the service.

start_llm() {
  rm -f "$work/llm.log"  # the one of a run before says the same until the shell has emptied it
  nsenter -t "$leader" -n "$build/tests/support/gp-sim-llm" --tokens-per-second 200 >"$work/llm.log" 2>&1 </dev/null 9>&- &
  llm=$!
  eventually 20 grep -q 'listening on' "$work/llm.log" || fail "the simulated LLM does not start"
  llm_address=http://$(sed -n 's/^listening on //p' "$work/llm.log")
}

end_llm() { [[ -z ${llm:-} ]] || { kill "$llm" 2>/dev/null || true; llm=; }; }

# begin_load NAME   returns when runs are under way.
begin_load() {
  rm -f "$work/load.json"
  nsenter -t "$leader" -n "$build/tests/package/gp-package-load" 8080 "$1" >"$work/load.json" 2>"$work/load.log" </dev/null 9>&- &
  load=$!
  eventually 60 grep -q loaded "$work/load.json" || fail "the load does not get under way: $(head -n 5 "$work/load.log")"
}

# Ends the load and shows what it has seen; fails where anything went wrong.
finish_load() {
  local outcome=0
  kill "$load"
  wait "$load" || outcome=$?
  load=
  note "$(tail -n 1 "$work/load.json")"
  ((outcome == 0)) || fail "callers noticed (status $outcome): $(head -n 20 "$work/load.log")"
}

end_load() { [[ -z ${load:-} ]] || { kill -s KILL "$load" 2>/dev/null || true; load=; }; }

seen() { tail -n 1 "$work/load.json" | jq -r ".$1"; }

restart_under_load() {
  step "every service is restarted under load"
  begin_load restart
  in_container systemctl reset-failed "generate-project*"  # the tests before have restarted them often
  expect "systemctl restart" in_container systemctl restart 'generate-project-*.service'
  finish_load
  same "requests failed" "$(seen failed)" 0
}

upgrade_under_load() {
  step "the package is upgraded under load"
  local before sockets
  before=$(main_pids)
  sockets=$(socket_inodes)
  begin_load upgrade
  expect "apt-get install of $next_version" in_container apt-get install -y -q "/debs/${next_deb##*/}"
  finish_load
  same "the version is the new one" "$(in_container dpkg-query -W -f "\${Version}" generate-project)" "$next_version"
  same "the sockets are the old ones" "$(socket_inodes)" "$sockets"
  refuse "the processes are the old ones" test "$(main_pids)" = "$before"
  same "requests failed" "$(seen failed)" 0
  expect "runs that were under way went on under the new version ($(seen runs_resumed))" test "$(seen runs_resumed)" -gt 0
}

# A row or nothing, as PostgreSQL's owner.
ask_database() { in_container runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 -d generate-project -c "$1"; }

an_upgrade_that_needs_a_migration_leaves_the_old_ones_at_work() {
  step "an upgrade that needs a migration"
  local before
  before=$(main_pids)
  # The tables as the version before them left them; with a newer migration, undo that one.
  same "the newest migration" "$(ask_database 'SELECT max(version) FROM generation_schema')" 3
  ask_database 'DROP INDEX generation_runs_unpruned; DELETE FROM generation_schema WHERE version = 3'
  in_container dpkg -i "/debs/${next_deb##*/}" >"$work/upgrade.log" 2>&1 || fail "dpkg -i: $(cat "$work/upgrade.log")"
  same "one line says what to do" "$(grep -c '^generate-project: the tables need a migration' "$work/upgrade.log")" 1
  same "the old processes are at work" "$(main_pids)" "$before"
  refuse "no table was changed" in_container generate-project migrate --check
  expect "migrate" in_container generate-project migrate
  expect "restart" in_container systemctl restart 'generate-project-*.service'
  same "the new ones serve" "$(status_of /status/package)" 200
}

# upgrade_cannot_ask WHY REASON   an upgrade that gets no answer for the REASON says so and leaves the processes alone.
upgrade_cannot_ask() {
  local before
  before=$(main_pids)
  in_container dpkg -i "/debs/${next_deb##*/}" >"$work/upgrade.log" 2>&1 || fail "dpkg -i: $(cat "$work/upgrade.log")"
  same "$1: one line says why" "$(grep -c "^generate-project: cannot tell whether the tables need a migration (.*$2" "$work/upgrade.log")" 1
  same "$1: the old processes are at work" "$(main_pids)" "$before"
}

an_upgrade_that_cannot_ask_for_a_migration_leaves_the_old_ones_at_work() {
  step "an upgrade that cannot ask whether a migration is due"
  keep_settings
  set_setting "export FOO=1"  # systemd passes over it
  upgrade_cannot_ask "a wrong line" 'line [0-9]*: is not NAME=value'
  in_container systemctl stop generate-project.target 'generate-project-*.service'
  in_container dpkg -i "/debs/${next_deb##*/}" >"$work/upgrade.log" 2>&1 || fail "dpkg -i: $(cat "$work/upgrade.log")"
  refuse "where nothing runs nothing is said" grep '^generate-project:' "$work/upgrade.log"
  restore_settings
  in_container systemctl start generate-project.target
  same "all run again" "$(status_of /status/package)" 200
  in_container systemctl stop postgresql@15-main.service
  upgrade_cannot_ask "no database" 'connection to server'
  in_container systemctl start postgresql@15-main.service
  expect "they serve" eventually 20 serves
  expect "each worker is back" eventually 30 workers_are_connected
}

serves() { [[ $(status_of /status/package) == 200 ]]; }
# As many as WORKER_PROCESSES is by itself: one that connects later meets what the next step does to the tables.
workers_are_connected() { [[ $(ask_database "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'generate-project worker'") == 2 ]]; }

a_downgrade_that_the_tables_do_not_take_leaves_the_new_ones_at_work() {
  step "a downgrade to a version that the tables do not take"
  local before
  before=$(main_pids)
  ask_database "INSERT INTO generation_schema (version, name, compatible_from) VALUES (901, 'drops', 901)"
  in_container dpkg -i "/debs/${deb##*/}" >"$work/downgrade.log" 2>&1 || fail "dpkg -i: $(cat "$work/downgrade.log")"
  same "one line says what to do" "$(grep -c '^generate-project: .*install the newer version' "$work/downgrade.log")" 1
  same "the processes are the same" "$(main_pids)" "$before"
  ask_database 'DELETE FROM generation_schema WHERE version = 901'
}
