# shellcheck shell=bash
# shellcheck disable=SC2154  # top is set by the caller
# The private stack: PostgreSQL, simulated LLM, the five pools, nginx. All it writes is under $state, except unix sockets,
# whose paths must be short: they are in $sockets.

state=${DEV_STATE_DIR:-$top/build/dev}
[[ $state == /* ]] || state=$PWD/$state
port=${PORT:-8080}
bin=${DEV_BUILD_DIR:-$top/build/cmake/dev}
handlers=(start status health events worker)
sockets=/tmp/gp-dev-$EUID-$(printf %s "$state" | sha256sum | cut -c1-10)
address=http://127.0.0.1:$port
# shellcheck source=packaging/lib/database.sh
source "$top/packaging/lib/database.sh"

# What is served and what is written stand in nginx's configuration, where these characters would end a path or mean something.
require_paths_for_nginx() {
  local path odd='[][:space:]["'"'"'\;{}$*?]'
  for path in "$top" "$state"; do
    [[ ! $path =~ $odd ]] || die "nginx cannot be given the path '$path': it holds a blank or one of \" ' \\ ; { } \$ * ? [ ].
     Move the clone; where only DEV_STATE_DIR is meant, name another folder"
  done
}

stack_is_up() {
  local name
  for name in "${handlers[@]}" nginx; do process_is_up "$name" || return 1; done
}

stack_up() {
  if stack_is_up; then
    say "the stack is already up on $(cat "$state/run/address"); 'packaging/dev down' ends it"
    return 0
  fi
  stack_down
  if [[ ! $port =~ ^[0-9]{1,5}$ ]] || ((port < 1 || port > 65535)); then die "PORT is '$port'; allowed: 1-65535"; fi
  if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then die "port $port is in use; choose another: PORT=8081 packaging/dev ..."; fi
  mkdir -p "$state/run" "$state/log"
  make_sockets_folder
  trap 'stack_failed "interrupted"' INT TERM
  [[ -n ${DATABASE_URL:-} ]] || start_database
  start_llm
  export_settings
  say "making the tables"
  "$bin/handlers/generate-project" migrate >>"$state/log/migrate.log" 2>&1 || stack_failed migrate
  start_handlers
  start_nginx
  trap - INT TERM
  echo "$address" >"$state/run/address"
  say "up: $address (web page, API); logs in $state/log"
}

# stack_restart HANDLER   stops one of the pools, where it is up, and starts it with the settings of now.
stack_restart() {
  [[ " ${handlers[*]} " == *" $1 "* ]] || die "restart takes one of: ${handlers[*]}"
  DATABASE_URL=${DATABASE_URL:-$(private_database_url)}
  export DATABASE_URL
  if [[ -f $state/run/sim-llm.address ]]; then use_simulated_llm "$(cat "$state/run/sim-llm.address")"; fi
  export_settings
  process_stop "$1" TERM "${DEV_STOP_S:-90}"
  process_start "$1" "$bin/handlers/gp-$1"
  [[ $1 == worker ]] || wait_for 20 test -S "$sockets/$1.sock" || die "$1 did not start; its log is in $state/log"
}

use_simulated_llm() { export OPENAI_BASE_URL=$1/v1 OPENAI_API_KEY=simulated MODEL_PRIMARY=${MODEL_PRIMARY:-simulated-gpt-5-mini}; }

# Ends what has been started and says why, with the end of the log that tells.
stack_failed() {
  local log=$state/log/$1.log
  [[ -f $log ]] && tail -n 20 "$log" >&2
  stack_down
  die "the stack did not start: $1"
}

stack_down() {
  process_stop nginx QUIT 5
  local name pid
  for name in "${handlers[@]}"; do  # all at once: they drain side by side
    if pid=$(process_pid "$name" 2>/dev/null); then kill "$pid" 2>/dev/null || true; fi
  done
  for name in "${handlers[@]}"; do process_stop "$name" TERM "${DEV_STOP_S:-90}"; done
  process_stop sim-llm TERM 5
  process_stop postgres INT 20
  rm -f "$state/run/address" "$state/run/sim-llm.address"
  remove_sockets_folder
}

stack_status() {
  local name down=0
  for name in postgres sim-llm "${handlers[@]}" nginx; do
    if process_is_up "$name"; then
      printf '%-10s up    pid %s\n' "$name" "$(process_pid "$name")"
    else
      printf '%-10s down\n' "$name"
      case $name in postgres | sim-llm) ;; *) down=1 ;; esac
    fi
  done
  [[ -f $state/run/address ]] && echo "address    $(cat "$state/run/address")"
  return "$down"
}

# Without a key and without another server: the simulated LLM, whose model names say what it is.
start_llm() {
  [[ -n ${OPENAI_API_KEY:-}${OPENAI_API_KEY_FILE:-} ]] && return 0
  if [[ -n ${OPENAI_BASE_URL:-} ]]; then
    export OPENAI_API_KEY=none
    return 0
  fi
  say "starting the simulated LLM (no OPENAI_API_KEY is set)"
  : >"$state/log/sim-llm.log"
  process_start sim-llm "$bin/tests/support/gp-sim-llm" --tokens-per-second "${SIM_LLM_TOKENS_PER_SECOND:-200}" \
    --chunk-tokens "${SIM_LLM_CHUNK_TOKENS:-1}" --rate-spread "${SIM_LLM_RATE_SPREAD:-0}" --journal "$state/log/sim-llm-journal.jsonl"
  wait_for 10 grep -q 'listening on' "$state/log/sim-llm.log" || stack_failed sim-llm
  local where
  where=$(sed -n 's/^listening on //p' "$state/log/sim-llm.log" | tail -n 1)
  use_simulated_llm "http://$where"
  echo "http://$where" >"$state/run/sim-llm.address"
}

# GP_ETC_DIR: the settings of an installed package on this machine are not this stack's.
export_settings() {
  export GP_ETC_DIR=$state/etc
  export PORT=$port RUNTIME_DIR=$sockets CSV_LOG_DIR=${CSV_LOG_DIR:-$state/logs} SPOOL_PATH=${SPOOL_PATH:-$state/spool/spool.db}
}

start_handlers() {
  say "starting ${handlers[*]}"
  local name
  for name in "${handlers[@]}"; do process_start "$name" "$bin/handlers/gp-$name"; done
  for name in "${handlers[@]}"; do
    [[ $name == worker ]] || wait_for 20 test -S "$sockets/$name.sock" || stack_failed "$name"
  done
}

# nginx takes one descriptor for each connection, and a stream has two: its client's and its handler's.
start_nginx() {
  say "starting nginx on port $port"
  local folder=$state/nginx files workers connections
  files=$(ulimit -Hn)
  [[ $files == unlimited ]] && files=1048576
  workers=$(($(nproc) + 1))  # one is left free of deliveries to very many streams
  ((workers <= 5)) || workers=5
  connections=$((files - 256 < 40000 ? files - 256 : 40000))
  "$top/packaging/configure-nginx" "$folder" LISTEN="listen 127.0.0.1:$port backlog=4096 sndbuf=32k;" TLS= SERVER_NAME=localhost RUNTIME_DIR="$sockets" \
    WWW_DIR="$top/nginx/www" STATE_DIR="$folder" USER_LINE="$( ((EUID == 0)) && echo 'user root;')" MAX_FILES="$files" \
    MAX_CONNECTIONS="$connections" WORKERS="$workers" METRICS_ALLOW= ACCESS_LOG="$folder/access.log generate_project" STREAMS="${NGINX_STREAMS:-$((workers * connections * 3 / 8))}"
  process_start nginx "$(command -v nginx || echo /usr/sbin/nginx)" -p "$folder/" -c "$folder/nginx.conf" -e "$folder/error.log"
  wait_for 20 curl -fsS -o /dev/null "$address/health" || { cat "$folder/error.log" >&2; stack_failed nginx; }
}
