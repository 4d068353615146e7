# shellcheck shell=bash
# shellcheck disable=SC2154  # top is set by the caller
# Measuring the service beside its yardsticks: tests/bench/README.md says what and how to read it.

# bench [--quick] [--json FILE] [--only SCENARIO ...]
command_bench() {
  install_packages bench
  build_preset bench
  mkdir -p "$top/build/bench"
  # Ten thousand streams need as many descriptors in the client, and twice as many in nginx.
  ulimit -Sn "$(ulimit -Hn)"
  say "measuring: about $(bench_minutes "$@") minutes; the machine should have nothing else to do"
  timeout --foreground --kill-after=120 3600 "$top/build/cmake/bench/tests/bench/gp-bench" --json "$top/build/bench/result.json" "$@"
}

bench_minutes() {
  case " $* " in
    *' --only '*) echo 1-5 ;;
    *' --quick '*) echo 4 ;;
    *) echo 12 ;;
  esac
}
