# shellcheck shell=bash
# What the lints share. Each is called with the source folder and the build folder.

failures=0
complain() {
  echo "$*" >&2
  failures=$((failures + 1))
}

finish() {
  ((failures == 0)) || { echo "$failures complaints" >&2; exit 1; }
  exit 0
}

# must_complain COMMAND...   fails the lint where the command finds nothing wrong with a planted fault.
must_complain() {
  if ("$@") >/dev/null 2>&1; then
    echo "this lint does not find what it is for: $*" >&2
    exit 2
  fi
}

plant() {
  planted=$(mktemp -d)
  trap 'rm -rf "$planted"' EXIT
}
