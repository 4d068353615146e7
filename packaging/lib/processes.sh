# shellcheck shell=bash
# shellcheck disable=SC2154  # state is set in stack.sh
# Processes in the background, each known by its id and start time: a number that the system has given to somebody else is
# never signalled.

pid_file() { echo "$state/run/$1.pid"; }

# Field 22 of /proc/<pid>/stat; the name before it may hold spaces.
start_time() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) }
  read -ra stat <<<"$stat"
  echo "${stat[19]}"
}

# process_start NAME COMMAND...   its output goes to log/NAME.log
process_start() {
  local name=$1
  shift
  mkdir -p "$state/run" "$state/log"
  setsid "$@" >>"$state/log/$name.log" 2>&1 </dev/null &
  local pid=$!
  disown "$pid" 2>/dev/null || true
  echo "$pid $(start_time "$pid" || echo 0)" >"$(pid_file "$name")"
}

# Prints the id of the process if it is still the one that was started.
process_pid() {
  local pid started
  read -r pid started 2>/dev/null <"$(pid_file "$1")" || return 1
  [[ $(start_time "$pid") == "$started" ]] && echo "$pid"
}

process_is_up() { process_pid "$1" >/dev/null 2>&1; }

# process_stop NAME [SIGNAL] [SECONDS]
process_stop() {
  local name=$1 signal=${2:-TERM} seconds=${3:-20} pid
  if pid=$(process_pid "$name" 2>/dev/null); then
    kill -s "$signal" "$pid" 2>/dev/null || true
    local deadline=$((SECONDS + seconds))
    while process_is_up "$name" && ((SECONDS < deadline)); do sleep 0.1; done
    if process_is_up "$name"; then
      say "$name does not end; killing it"
      kill -s KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$(pid_file "$name")"
}

# wait_for SECONDS COMMAND...
wait_for() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
