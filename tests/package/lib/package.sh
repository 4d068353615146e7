# shellcheck shell=bash
# shellcheck disable=SC2154  # work and source_folder are set by the caller
# The package under test, and its next version.

# make_packages [DEB]   $deb and $next_deb, both in $work/debs.
make_packages() {
  rm -rf "$work/debs"
  mkdir -p "$work/debs"
  local built=$1
  if [[ -z $built ]]; then
    GP_PROGRAMS=$build "$source_folder/packaging/dev" deb --into "$work/deb" || fail "the package cannot be built"
    built=$(echo "$work"/deb/generate-project_*.deb)
  fi
  deb=$work/debs/${built##*/}
  cp "$built" "$deb"
  raise_version
}

# What is told by the version alone: dpkg replaces every file and runs the maintainer scripts of an upgrade.
raise_version() {
  local parts=$work/next version
  rm -rf "$parts"
  dpkg-deb -R "$deb" "$parts"
  version=$(dpkg-deb -f "$deb" Version)
  next_version=$version+next
  sed -i "s/^Version: .*/Version: $next_version/" "$parts/DEBIAN/control"
  next_deb=$work/debs/generate-project_${next_version}_next.deb
  dpkg-deb -b "$parts" "$next_deb" >/dev/null
  rm -rf "$parts"
}
