# shellcheck shell=bash
# shellcheck disable=SC2154  # top, deb_folder are set by the caller
# The package as shipped, tested in a booted Debian (tests/package/run); --all adds what Debian tests packages with: autopkgtest, piuparts.

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
  ((all)) || return 0
  "$top/tests/package/autopkgtest" "$top" "$top/build/cmake/dev" "$deb" || exit
  "$top/tests/package/piuparts" "$top" "$top/build/cmake/dev" "$deb" || exit
}
