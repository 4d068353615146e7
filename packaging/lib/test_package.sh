# shellcheck shell=bash
# shellcheck disable=SC2154  # top, deb_folder are set by the caller
# The package as shipped, tested in a booted Debian (tests/package/run); --all adds piuparts.

command_test_package() {
  local all=0
  case ${1:-} in
    --all) all=1 ;;
    '') ;;
    *) die "test-package takes --all or nothing, not '$1'" ;;
  esac
  install_packages test-package
  build_preset dev
  command_deb
  local deb outcome=0
  deb=$(ls "$deb_folder"/generate-project_*.deb)
  "$top/tests/package/run" "$top" "$top/build/cmake/dev" "$deb" || outcome=$?
  ((outcome == 0)) || exit "$outcome"
  ((!all)) || check_with_piuparts "$deb"
}

# Installs, removes and purges in a bare tree without systemd running, and looks for what is left.
check_with_piuparts() {
  install_packages piuparts
  local base=$top/build/package/piuparts.tar.gz suite mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
  suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
  # The base holds systemd already: what its own installation leaves behind is not ours.
  [[ -f $base ]] || mmdebstrap --quiet --variant=minbase --include=systemd,apt,ca-certificates "$suite" "$base" "deb $mirror $suite main" ||
    die "mmdebstrap failed"
  piuparts --no-eatmydata -d "$suite" -m "$mirror main" -b "$base" "$1" >"$top/build/package/piuparts.log" 2>&1 ||
    { tail -n 40 "$top/build/package/piuparts.log" >&2; die "piuparts found faults"; }
  say "piuparts: pass"
}
