# shellcheck shell=bash
# shellcheck disable=SC2154  # set by the caller
# The service in the container, step by step.

services=(start status health events worker)
credentials=/etc/generate-project/credentials

unit() { in_container systemctl show --value --property "$2" "generate-project-$1"; }
main_pid() { unit "$1.service" MainPID; }
main_pids() { local name; for name in "${services[@]}"; do main_pid "$name"; done; }
socket_inodes() { in_container sh -c 'stat -c "%n %i" /run/generate-project/*.sock'; }
active_units() { in_container systemctl list-units --plain --no-legend --state=active,activating,failed 'generate-project*'; }
journal_of() { in_container journalctl --no-pager --output=cat --unit "generate-project-$1"; }
ask() { in_container curl -sS --max-time 60 "$@"; }
status_of() { ask -o /dev/null -w '%{http_code}' "http://127.0.0.1:8080$1"; }
set_setting() { in_container sh -c "echo '$1' >>/etc/generate-project/generate-project.conf"; }
keep_settings() { in_container cp -p /etc/generate-project/generate-project.conf /etc/generate-project/generate-project.conf.kept; }
restore_settings() { in_container mv /etc/generate-project/generate-project.conf.kept /etc/generate-project/generate-project.conf; }
# tells WHAT PATTERN WORDS   the output of a command in the container, whatever its status, has such a line.
tells() { expect "$1" grep -qE "$2" <(in_container sh -c "$3 2>&1 || true"); }
give_secret() { in_container sh -c "umask 077 && printf %s '$2' >$credentials/$1"; }

show_journal() {
  [[ -n ${leader:-} ]] || return 0
  echo '-- the end of the journal'
  in_container journalctl --no-pager --lines=60 2>/dev/null || true
}

# Every file that is not for a moment, nor the records of dpkg, apt and the journal.
files_of_the_system() {
  in_container find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /tmp -o -path /var/tmp -o -path /debs -o -path /var/cache \
    -o -path /var/lib/dpkg -o -path /var/lib/apt -o -path /var/log/apt -o -path /var/log/dpkg.log -o -path /var/log/journal -o -path /var/lib/postgresql \
    -o -path /var/log/postgresql -o -path /var/log/nginx -o -path /var/lib/nginx \) -prune -o -print | sort
}

installs_and_starts_nothing() {
  step "apt install"
  files_of_the_system >"$work/files.before"
  nginx_before=$(in_container sh -c 'find /etc/nginx -type f -o -type l | sort | xargs sha256sum')
  expect "apt-get install" in_container apt-get install -y -q "/debs/${deb##*/}"
  same "nothing of it runs" "$(active_units)" ""
  same "nothing of nginx's has changed" "$(in_container sh -c 'find /etc/nginx -type f -o -type l | sort | xargs sha256sum')" "$nginx_before"
  same "the system is well" "$(in_container systemctl is-system-running)" running
  local folder
  for folder in /var/lib/generate-project /var/log/generate-project; do  # before any service starts, which could not be kept out otherwise
    same "$folder is there" "$(in_container stat -c '%U %G %a' "$folder")" "generate-project generate-project 750"
  done
  expect "systemd finds nothing wrong with the units" in_container sh -c 'cd /lib/systemd/system && systemd-analyze verify --man=no generate-project*.service generate-project*.socket generate-project*.timer generate-project.target'
}

setup_gives_a_service() {
  step "set up"
  set_setting "OPENAI_BASE_URL=$llm_address/v1"
  set_setting "MODEL_PRIMARY=simulated-gpt-5-mini"
  set_setting "WORKER_DRAIN_S=2"  # runs are handed over, not finished, when a worker is told to end
  refuse "setup without a key ends" in_container generate-project setup
  refuse "and has started nothing" in_container systemctl is-active --quiet generate-project.target
  expect "a key" in_container sh -c 'echo a-key >/tmp/key'
  expect "setup" in_container generate-project setup --openai-api-key-file /tmp/key
  expect "setup again" in_container generate-project setup
  expect "doctor" in_container generate-project doctor
  same "GET /health" "$(ask http://127.0.0.1:8080/health)" '{"ok":true}'
  same "the web page" "$(status_of /)" 200
  same "the sockets are for nginx alone" "$(in_container stat -c '%U %G %a' /run/generate-project/start.sock)" "root www-data 660"
  same "no counter is lost to a closed folder" "$(in_container sh -c 'ls /run/generate-project/metrics | grep -c ^status-')" 4
}

nginx_that_is_stopped_is_said() {
  step "nginx is stopped"
  in_container systemctl stop nginx.service
  tells "doctor warns" '^warn +nginx.service' 'generate-project doctor'
  refuse "setup does not say that it serves" in_container generate-project setup
  tells "it says what to do" 'systemctl enable --now nginx' 'generate-project setup'
  in_container systemctl start nginx.service
}

setup_asks_for_what_the_services_see() {
  step "a shell with a setting of its own"
  refuse "setup does not take it" in_container sh -c 'DATABASE_URL=postgresql:///elsewhere generate-project setup'
  tells "it says which" 'this shell sets DATABASE_URL, which the services do not see' 'DATABASE_URL=postgresql:///elsewhere generate-project setup'
}

services_that_do_not_run_are_said() {
  step "services that do not run"
  in_container systemctl stop generate-project-worker.service generate-project-start.socket generate-project-start.service
  tells "doctor misses the worker" '^fail +services.worker ' 'generate-project doctor'
  tells "doctor misses the socket" '^fail +services.start.socket ' 'generate-project doctor'
  expect "setup starts them" in_container generate-project setup
  drop_in start 'ExecStart=\nExecStart=/bin/false'
  refuse "setup does not say that it serves where one fails" in_container sh -c 'systemctl stop generate-project-start.service && generate-project setup'
  remove_drop_in start
  in_container systemctl reset-failed generate-project-start.service
  expect "setup starts it" in_container generate-project setup
  expect "doctor" in_container generate-project doctor
}

a_site_that_nginx_does_not_read_is_said() {
  step "an nginx.conf without sites-enabled"
  in_container sed -i.kept 's|include /etc/nginx/sites-enabled|include /etc/nginx/nowhere|' /etc/nginx/nginx.conf
  tells "doctor says so" '^fail +nginx.site ' 'generate-project doctor'
  refuse "nginx-site does not call it enabled" in_container generate-project nginx-site --enable
  in_container mv /etc/nginx/nginx.conf.kept /etc/nginx/nginx.conf
}

an_empty_line_has_the_default_of_the_package() {
  step "settings without a path"
  keep_settings
  in_container sed -i -e 's/^SPOOL_PATH=.*/SPOOL_PATH=/' -e '/^CSV_LOG_DIR=/d' /etc/generate-project/generate-project.conf
  expect "restart" in_container systemctl restart 'generate-project-*.service'
  same "the services have their spool" "$(ask http://127.0.0.1:8080/health/ready | jq -r .checks.spool.status)" ok
  tells "doctor looks at the same" '^ok +spool.file +/var/lib/generate-project/spool.db' 'cd /root && generate-project doctor'
  set_setting SPOOL_PATH=./spool.db
  tells "a relative path is a fault" "^fail +settings.SPOOL_PATH +'./spool.db' is not allowed" 'generate-project doctor'
  refuse "and nothing is done with it" in_container generate-project prune --dry-run
  restore_settings
  expect "restart" in_container systemctl restart 'generate-project-*.service'
}

a_missing_key_is_said_once() {
  step "no OPENAI_API_KEY"
  in_container rm "$credentials/OPENAI_API_KEY"
  refuse "the worker does not start" in_container systemctl restart generate-project-worker.service
  same "the worker does not run" "$(unit worker.service ActiveState)" failed
  same "its status says: a setting" "$(unit worker.service ExecMainStatus)" 78
  same "it is not tried again" "$(unit worker.service NRestarts)" 0
  expect "the journal says which" grep -q 'OPENAI_API_KEY: not set' <(journal_of worker)
  same "the rest serves" "$(status_of /health)" 200
}

# The key is missing since the step before.
a_host_that_only_serves_needs_no_key() {
  step "a host that only serves"
  tells "doctor misses the key" '^fail +settings.OPENAI_API_KEY' 'generate-project doctor'
  tells "and looks at the rest" '^ok +database.schema' 'generate-project doctor'
  refuse "setup misses it" in_container generate-project setup
  local how
  for how in disable mask; do
    expect "the worker is not to run: $how" in_container systemctl "$how" --now generate-project-worker.service
    expect "doctor" in_container generate-project doctor
    expect "setup" in_container generate-project setup
    refuse "no worker runs" in_container systemctl is-active --quiet generate-project-worker.service
  done
  expect "the worker is to run again" in_container systemctl unmask generate-project-worker.service
  expect "enable" in_container systemctl enable generate-project-worker.service
  refuse "it misses its key" in_container systemctl start generate-project-worker.service
}

settings_that_the_units_break_are_said() {
  step "settings that the units break"
  keep_settings
  set_setting RUNTIME_DIR=/srv/sockets
  set_setting BLOCKLIST_FILE=/tmp/words
  set_setting SSE_KEEPALIVE=15
  in_container touch /tmp/words
  tells "doctor says which folder the sockets are in" '^fail +sandbox.RUNTIME_DIR' 'generate-project doctor'
  tells "nginx-site refuses another" 'RUNTIME_DIR' 'generate-project nginx-site --enable'
  tells "doctor warns of a file that a service does not see" '^warn +sandbox.BLOCKLIST_FILE' 'generate-project doctor'
  tells "doctor warns of a name that nothing reads" '^warn +settings.names .*SSE_KEEPALIVE' 'generate-project doctor'
  restore_settings
  tells "who may not read the settings is told so" 'run this as root' 'runuser -u nobody -- generate-project doctor'
}

# Whether a process of the service can see the text: in its environment, or in the secrets it is given.
sees() {
  in_container sh -c "tr '\\0' '\\n' </proc/$1/environ; cat /proc/$1/root/run/credentials/*/* 2>/dev/null" | grep "$2" >/dev/null  # not -q: what writes must not find its reader gone
}

the_key_is_for_the_worker_alone() {
  step "secrets"
  local name
  give_secret OPENAI_API_KEY key-of-a-file
  expect "the worker starts with a credential" in_container systemctl restart 'generate-project-*.service'
  expect "the worker sees it" sees "$(main_pid worker)" key-of-a-file
  for name in start status health events; do refuse "$name does not see it" sees "$(main_pid "$name")" key-of-a-file; done
  refuse "the worker's environment does not hold it" in_container grep -q key-of-a-file "/proc/$(main_pid worker)/environ"

  set_setting "OPENAI_API_KEY=key-of-the-settings"
  expect "the same from the file of settings" in_container systemctl restart 'generate-project-*.service'
  expect "the worker sees it" sees "$(main_pid worker)" key-of-the-settings
  for name in start status health events; do refuse "$name does not see it" sees "$(main_pid "$name")" key-of-the-settings; done

  same "without a credential the database is this host's" "$(status_of /status/nobody)" 404
  give_secret DATABASE_URL postgresql:///another
  expect "a credential names another database, which is not there" in_container systemctl restart generate-project-status.service
  same "that one is asked" "$(status_of /status/nobody)" 503
  give_secret DATABASE_URL postgresql:///generate-project
  expect "it names the right one" in_container systemctl restart generate-project-status.service
  same "that one is asked" "$(status_of /status/nobody)" 404
}

one_generation_over_http() {
  step "one generation"
  local run
  run=$(ask http://127.0.0.1:8080/start -H 'Content-Type: application/json' -d '{"project_id": "package", "chat_id": "one", "topic": "Fractions",
    "life_skill": "Budgeting", "group_size": 3, "duration_min": 45, "owner_email": "huda@school.ae"}' | jq -r .run_id)
  ask -N "http://127.0.0.1:8080/events/stream?run_id=$run" >"$work/stream"
  note "$(sed -n 's/^event: //p' "$work/stream" | paste -sd' ')"
  same "ids" "$(sed -n 's/^id: //p' "$work/stream" | paste -sd' ')" "$(seq -s' ' "$(grep -c ^id: "$work/stream")")"
  same "the last event" "$(sed -n 's/^event: //p' "$work/stream" | tail -n 1)" run_completed
  same "GET /status" "$(ask http://127.0.0.1:8080/status/package | jq -r .status)" complete
  expect "its log is in /var/log" in_container test -s "/var/log/generate-project/$run.csv"
  same "its log is not for everybody" "$(in_container stat -c '%U %a' /var/log/generate-project)" "generate-project 750"
}

# Debian's PostgreSQL speaks TLS. libpq looks for certificates in the home folder, which is closed to some of the services.
a_database_that_wants_tls_is_reached() {
  step "a database that wants TLS"
  ask_database "ALTER ROLE \"generate-project\" PASSWORD 'a-password'"
  give_secret DATABASE_URL 'postgresql://generate-project:a-password@127.0.0.1/generate-project?sslmode=require'
  expect "restart" in_container systemctl restart 'generate-project-*.service'
  same "GET /status" "$(status_of /status/package)" 200
  same "POST /start, of a run that is complete" "$(ask -o /dev/null -w '%{http_code}' http://127.0.0.1:8080/start -H 'Content-Type: application/json' \
    -d '{"project_id": "package", "chat_id": "one", "topic": "Fractions", "life_skill": "Budgeting", "group_size": 3, "duration_min": 45, "owner_email": "huda@school.ae"}')" 200
  same "GET /health/ready" "$(status_of /health/ready)" 200
  same "every session is encrypted" "$(ask_database "SELECT bool_and(ssl) FROM pg_stat_activity JOIN pg_stat_ssl USING (pid) WHERE usename = 'generate-project'")" t
  give_secret DATABASE_URL postgresql:///generate-project
  expect "restart" in_container systemctl restart 'generate-project-*.service'
}

each_service_is_in_its_sandbox() {
  step "sandbox"
  local name pid found
  for name in "${services[@]}"; do
    for pid in $(in_container cat "/sys/fs/cgroup/systemd$(unit "$name.service" ControlGroup)/cgroup.procs" 2>/dev/null ||
      in_container pgrep -f "^/usr/libexec/generate-project/gp-$name"); do
      found=$(in_container sh -c "echo \$(stat -c %U /proc/$pid) \$(awk '/^(CapEff|CapBnd|NoNewPrivs|Seccomp):/ {print \$1 \$2}' /proc/$pid/status)")
      [[ $found == "generate-project CapEff:0000000000000000 CapBnd:0000000000000000 NoNewPrivs:1 Seccomp:2" ]] ||
        fail "process $pid of $name: $found"
    done
    note "ok: $name: no capabilities, no new privileges, seccomp"
  done
}

# as SERVICE COMMAND...   what a program would be able to do that has taken over a process of that service: its account, its file
# system, its user namespace.
as() {
  local pid account group
  pid=$(main_pid "$1")
  account=$(in_container id -u generate-project)
  group=$(in_container id -g generate-project)
  shift
  in_container nsenter -t "$pid" -m -U -S "$account" -G "$group" "$@"
}

no_service_reaches_what_is_anothers() {
  step "what a service cannot reach"
  local name
  for name in start status; do refuse "$name cannot see the spool" as "$name" ls /var/lib/generate-project; done
  expect "health can read the spool" as health head -c 1 /var/lib/generate-project/spool.db
  refuse "health cannot write the spool" as health sh -c ': >>/var/lib/generate-project/spool.db'
  refuse "health cannot make a file there" as health touch /var/lib/generate-project/another
  expect "events can write the spool" as events sh -c ': >>/var/lib/generate-project/spool.db'
  for name in start status health events; do
    refuse "$name cannot see the logs of runs" as "$name" ls /var/log/generate-project
    refuse "$name cannot see the worker's secrets" as "$name" ls /run/credentials/generate-project-worker.service
    refuse "$name cannot read the worker's environment" as "$name" cat "/proc/$(main_pid worker)/environ"
    refuse "$name cannot read the settings' file" as "$name" cat /etc/generate-project/generate-project.conf
    refuse "$name cannot put a socket in another's place" as "$name" touch /run/generate-project/another
  done
  refuse "the worker cannot write outside its folders" as worker touch /etc/another
}

a_folder_that_is_gone_opens_no_sandbox() {
  step "a folder that a service must not see is gone when it starts"
  in_container systemctl stop generate-project.target 'generate-project-*.service'
  in_container mv /var/log/generate-project /var/log/kept
  refuse "start does not start" in_container systemctl start generate-project-start.service
  expect "the journal says why" grep -q '/var/log/generate-project: No such file' <(journal_of start.service)
  expect "the folder is made" in_container systemd-tmpfiles --create generate-project.conf
  same "as the services want it" "$(in_container stat -c '%U %G %a' /var/log/generate-project)" "generate-project generate-project 750"
  in_container sh -c 'rmdir /var/log/generate-project && mv /var/log/kept /var/log/generate-project'
  expect "all start again" in_container sh -c "systemctl reset-failed 'generate-project*' && systemctl start generate-project.target"
  same "and serve" "$(status_of /status/package)" 200
}

a_wrong_setting_is_said_and_can_be_repaired() {
  step "a wrong setting"
  in_container systemctl reset-failed generate-project-status.service  # it has been restarted often by now
  keep_settings
  set_setting SSE_KEEPALIVE_S=often
  refuse "status does not start" in_container systemctl restart generate-project-status.service
  expect "its exit status says: a setting" grep 'status=78/CONFIG' <(journal_of status.service)
  expect "the journal says which, and what is allowed" grep -q "SSE_KEEPALIVE_S: 'often' is not allowed; allowed: 1-300" <(journal_of status.service)
  same "a request meanwhile is refused in order" "$(status_of /status/package)" 503
  expect "starting ends, it does not go round" eventually 20 in_container systemctl is-failed generate-project-status.service
  restore_settings
  expect "after the repair it is started again" in_container sh -c \
    "systemctl reset-failed 'generate-project*' && systemctl start generate-project.target"
  same "and serves" "$(status_of /status/package)" 200
}

# drop_in SERVICE LINES   adds to the unit for as long as the container is up.
drop_in() {
  in_container sh -c "mkdir -p /run/systemd/system/generate-project-$1.service.d && printf '[Service]\n$2\n' >/run/systemd/system/generate-project-$1.service.d/test.conf
    systemctl daemon-reload"
}

remove_drop_in() { in_container sh -c "rm -r /run/systemd/system/generate-project-$1.service.d && systemctl daemon-reload"; }

has_restarted() { (($(unit "$1.service" NRestarts) >= $2)); }

a_crash_loop_ends_when_its_cause_has_gone() {
  step "a service that crashes again and again"
  local answer=$work/crash.status request
  in_container systemctl restart generate-project-status.service  # counts from 0
  drop_in status 'ExecStartPre=/usr/bin/test ! -e /run/crash'
  in_container touch /run/crash
  in_container systemctl kill --kill-who=main --signal=KILL generate-project-status.service
  status_of /status/package >"$answer" &
  request=$!
  expect "it is tried more often than a limit of five would let it" eventually 40 has_restarted status 6
  same "its socket is there" "$(unit status.socket ActiveState)" active
  in_container rm /run/crash
  wait "$request" || fail "the request that waited was not answered"
  same "the request that waited is answered" "$(cat "$answer")" 200
  remove_drop_in status
}

a_drain_longer_than_the_units_timeout_is_waited_for() {
  step "a worker that drains longer than TimeoutStopSec="
  drop_in worker 'TimeoutStopSec=1s'  # WORKER_DRAIN_S is 2
  local run
  run=$(ask http://127.0.0.1:8080/start -H 'Content-Type: application/json' -d '{"project_id": "drained", "chat_id": "one", "topic": "Fractions",
    "life_skill": "Budgeting", "group_size": 3, "duration_min": 45, "owner_email": "huda@school.ae"}' | jq -r .run_id)
  expect "a run is being written" eventually 30 run_is_in_state "$run" running
  local before=${EPOCHREALTIME/./} took_ms
  expect "systemctl stop" in_container systemctl stop generate-project-worker.service
  took_ms=$(((${EPOCHREALTIME/./} - before) / 1000))
  expect "that took longer than the second of TimeoutStopSec= ($took_ms ms)" test "$took_ms" -gt 1500
  same "the worker was not killed" "$(unit worker.service Result)" success
  remove_drop_in worker
  expect "the worker is started again" in_container systemctl start generate-project-worker.service
  expect "it goes on with the run" eventually 60 run_is_in_state "$run" complete
}

run_is_in_state() { [[ $(ask "http://127.0.0.1:8080/runs/$1" | jq -r .state) == "$2" ]]; }

removal_stops_everything() {
  step "apt remove"
  expect "apt-get remove" in_container apt-get remove -y -q generate-project
  same "no unit is left" "$(active_units)" ""
  same "no process is left" "$(in_container pgrep -u generate-project || true)" ""
  refuse "no socket is left" in_container test -e /run/generate-project
  expect "the spool is kept" in_container test -e /var/lib/generate-project/spool.db
  expect "the secrets are kept" in_container test -e "$credentials/OPENAI_API_KEY"
  expect "nginx is still sound" in_container nginx -t
}

purge_leaves_nothing() {
  step "apt purge"
  expect "apt-get purge" in_container apt-get purge -y -q generate-project
  files_of_the_system >"$work/files.after"
  # The account stays, as everywhere in Debian; its files have copies that end with a dash.
  local left
  left=$(comm -13 "$work/files.before" "$work/files.after" | grep -vE '^/etc/(passwd|group|shadow|gshadow|subuid|subgid)-$' || true)
  same "no file is left" "$left" ""
  same "the database is left" "$(in_container runuser -u postgres -- psql -Atc "select datname from pg_database where datname = 'generate-project'")" \
    generate-project
}
