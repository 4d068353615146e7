# shellcheck shell=bash
# shellcheck disable=SC2154  # top is set by the caller
# Building and testing by preset, in build/cmake/<preset>.

# build_preset PRESET [TARGET]   everything, or what TARGET needs.
build_preset() {
  say "building (preset $1)"
  (cd "$top" && cmake --preset "$1" >"$(build_log "$1")" 2>&1) || { cat "$(build_log "$1")" >&2; die "configuring failed"; }
  (cd "$top" && cmake --build --preset "$1" ${2:+--target "$2"}) || die "the build failed"
}

build_log() {
  mkdir -p "$top/build"
  echo "$top/build/configure-$1.log"
}

run_tests() {
  say "testing (preset $1)"
  (cd "$top" && ctest --preset "$1") | say_why_skipped "$top/build/cmake/$1/Testing/Temporary/LastTest.log"
}

# Passes ctest's lines on, and behind one of a test that was skipped the reason that it gave.
say_why_skipped() {
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line"
    [[ $line != *'***Skipped'* ]] || last_reason "$1"
  done
}

# From the log that ctest writes meanwhile, and which has another name when the last test has ended. What is not found fails nothing.
last_reason() {
  { grep -a SKIPPED "$1.tmp" || grep -a SKIPPED "$1"; } 2>/dev/null | tail -n 1 || true
}
