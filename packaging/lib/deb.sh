# shellcheck shell=bash
# shellcheck disable=SC2154  # top is set by the caller
# The Debian package, from a throw-away tree: the files of the work tree (committed or not, but none that git ignores) with
# packaging/debian as debian. Its parts are named in packaging/debian/rules.

deb_folder=$top/build/deb
deb_files=("$top/CMakeLists.txt" "$top/packaging/debian/changelog")

# The same version twice: what the program says and what dpkg compares.
project_version() { sed -n 's/^project(.* VERSION \([0-9.]*\) .*/\1/p' "$1"; }
changelog_version() { dpkg-parsechangelog -l "$1" -S Version; }
check_versions() {
  local program package
  program=$(project_version "$1")
  package=$(changelog_version "$2")
  [[ -n $program && $program == "$package" ]] ||
    die "CMakeLists.txt says version '$program' and packaging/debian/changelog '$package': they must be the same"
}

# assemble_tree FOLDER   Times of files are those of the changelog: they must not tell one build from another.
assemble_tree() {
  rm -rf "$1"
  mkdir -p "$1"
  (cd "$top" && git ls-files -z --cached --others --exclude-standard --deduplicate |
    while IFS= read -r -d '' file; do [[ ! -e $file ]] || printf '%s\0' "$file"; done |
    tar --null --files-from=- -cf -) | tar -C "$1" -xf -
  cp -a "$1/packaging/debian" "$1/debian"
  find "$1" -exec touch -h -d "@$(dpkg-parsechangelog -l "$1/debian/changelog" -S Timestamp)" {} +
}

# build_deb FOLDER   makes FOLDER/tree and, beside it, the package, its debug symbols, .changes and .buildinfo.
build_deb() {
  mkdir -p "$1"
  rm -f "$1"/*.{deb,changes,buildinfo}
  assemble_tree "$1/tree"
  # debhelper gives the build a home folder of its own; the compiler's cache is the caller's.
  (cd "$1/tree" && CCACHE_DIR=${CCACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/ccache} dpkg-buildpackage -us -uc -b) >"$1/build.log" 2>&1 ||
    { tail -n 60 "$1/build.log" >&2; die "the package was not built: $1/build.log"; }
}

# check_with_lintian FILE...   shows every tag that lintian knows; fails for errors and warnings.
check_with_lintian() { lintian --allow-root -I --pedantic --tag-display-limit 0 --fail-on error,warning "$@"; }

# same_packages FOLDER OTHER   both hold packages of the same names (the package and its debug symbols) with the same bytes.
same_packages() {
  local file names other_names
  names=$(cd "$1" && ls ./*.deb)
  other_names=$(cd "$2" && ls ./*.deb)
  if [[ $names != "$other_names" || $(wc -l <<<"$names") -ne 2 ]]; then
    printf 'packages here:\n%s\npackages there:\n%s\n' "$names" "$other_names" >&2
    return 1
  fi
  for file in $names; do cmp "$1/$file" "$2/$file" || return 1; done
}

# Another folder, no compiler cache: the same bytes all the same?
check_reproducible() {
  say "building the package again elsewhere"
  local again=$deb_folder/again
  CCACHE_DISABLE=1 build_deb "$again/in/another/place"
  same_packages "$deb_folder" "$again/in/another/place" || die "the two builds differ; both are kept (diffoscope would say how)"
  rm -rf "$again"
  say "two builds gave the same bytes"
}

command_deb() {
  local reproducible=0
  case ${1:-} in
    --check-reproducible) reproducible=1 ;;
    --into) deb_folder=${2:?--into needs a folder} ;;
    '') ;;
    *) die "deb takes --check-reproducible, --into FOLDER or nothing, not '$1'" ;;
  esac
  install_packages package
  check_versions "${deb_files[@]}"
  say "building the package"
  build_deb "$deb_folder"
  # Programs that were made for tests lack what a shipped one has: symbols, hardening.
  [[ -n ${GP_PROGRAMS:-} ]] || check_with_lintian "$deb_folder"/*.changes || die "lintian found faults"
  ((reproducible)) && check_reproducible
  say "$(ls "$deb_folder"/generate-project_*.deb)"
}
