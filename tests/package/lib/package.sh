# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154  # work, source_folder and build are set by the caller
# The package under test, and its next version.

# make_package [DEB]   $deb, in $work/debs: DEB, or put together from the programs of $build.
make_package() {
  rm -rf "$work/debs"
  mkdir -p "$work/debs"
  local built=$1
  if [[ -z $built ]]; then
    GP_PROGRAMS=$build "$source_folder/packaging/dev" deb --into "$work/deb" || fail "the package cannot be built"
    built=$(echo "$work"/deb/generate-project_*.deb)
  fi
  deb=$work/debs/${built##*/}
  cp "$built" "$deb"
}

# make_next_package   $next_deb, beside $deb.
make_next_package() {
  next_version=$(dpkg-deb -f "$deb" Version)+next
  next_deb=$work/debs/generate-project_${next_version}_next.deb
  with_version "$deb" "$next_version" "$next_deb"
}

# with_version DEB VERSION FILE   the same package under another version, which is all that dpkg goes by: it replaces every file and runs the
# maintainer scripts of an upgrade.
with_version() {
  local parts=$work/parts
  rm -rf "$parts"
  dpkg-deb -R "$1" "$parts"
  sed -i "s/^Version: .*/Version: $2/" "$parts/DEBIAN/control"
  dpkg-deb -b "$parts" "$3" >/dev/null
  rm -rf "$parts"
}
