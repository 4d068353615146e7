# shellcheck shell=bash
# How the tests of the package say what they do and what is wrong.

step() { printf '\n== %s (%d s)\n' "$*" "$SECONDS"; }
note() { printf '   %s\n' "$*"; }
fail() { printf 'FAILED: %s\n' "$*" >&2; exit 1; }
skip() { printf 'SKIPPED: the package is not tested here: %s\n' "$*"; exit 77; }

# expect WHAT COMMAND...   the command succeeds; its output is shown where it does not.
expect() {
  local what=$1 output
  shift
  output=$("$@" 2>&1) || fail "$what"$'\n'"$* ended with $?: $output"
  note "ok: $what"
}

# refuse WHAT COMMAND...   the command fails.
refuse() {
  local what=$1 output
  shift
  if output=$("$@" 2>&1); then fail "$what"$'\n'"$* succeeded: $output"; fi
  note "ok: $what"
}

# same WHAT FOUND WANTED
same() {
  [[ $2 == "$3" ]] || fail "$1"$'\n'"found:  $2"$'\n'"wanted: $3"
  note "ok: $1"
}

# eventually SECONDS COMMAND...   the command succeeds before the time is over.
eventually() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >/dev/null 2>&1; do
    ((SECONDS < deadline)) || return 1
    sleep 0.1
  done
}
