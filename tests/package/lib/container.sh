# shellcheck shell=bash
# shellcheck disable=SC2154  # work is set by the caller
# A Debian system of its own, with systemd as its first process: systemd-nspawn on a tree that mmdebstrap makes once and that stays
# as it is (what a boot writes goes to an overlay in memory). The network is the container's own loopback.

suite=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")

# apt_source RELEASE   where this machine's own apt has it from: the first of its sources; nothing where it has none.
apt_source() {
  # shellcheck disable=SC2016  # the names are apt's
  apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
    awk -v release="$1" '$1 == release && !found {sub("/$", "", $2); print $2; found = 1}'
}

# These end the test, loudly, where this machine cannot do it: make a Debian, and boot it with a network of its own.
require_debian_machine() {
  ((EUID == 0)) || skip "systemd-nspawn needs root"
  local tool
  for tool in systemd-nspawn mmdebstrap nsenter dpkg-deb; do
    command -v "$tool" >/dev/null || skip "$tool is not installed"
  done
  [[ $(. /etc/os-release && echo "$ID") == debian && -n $suite ]] || skip "this is no Debian release, so the package was not built for one"
  mirror=${DEBIAN_MIRROR:-$(apt_source "$suite")}
  security_mirror=${DEBIAN_SECURITY_MIRROR:-$(apt_source "$suite-security")}
  [[ -n $mirror && -n $security_mirror ]] ||
    skip "apt has no source of $suite and $suite-security here: name them in DEBIAN_MIRROR and DEBIAN_SECURITY_MIRROR"
}

require_container_machine() {
  require_debian_machine
  unshare --mount --pid --net --fork ip link set lo up 2>/dev/null || skip "this machine does not let root make a namespace with a loopback of its own"
}

# make_tree DEB   the folder $tree holds a Debian with nginx, PostgreSQL, autopkgtest (which wants dpkg-dev) and what the package depends on.
make_tree() {
  local packages
  packages=$(printf '%s\n' systemd systemd-sysv dbus udev apt netbase iproute2 procps curl jq nginx postgresql autopkgtest dpkg-dev "$(dependencies_of "$1")" |
    sort -u | paste -sd,)
  tree=$work/tree-$(printf '%s %s' "$suite" "$packages" | sha256sum | cut -c1-12)
  [[ -d $tree ]] && return 0
  require_mirror
  note "making a Debian tree (once)"
  rm -rf "$work"/tree-*
  bootstrap "$packages" "$tree.new"
  mv "$tree.new" "$tree"
}

# The names of the packages that a package depends on, each with its first alternative.
dependencies_of() { dpkg-deb -f "$1" Depends | tr ',' '\n' | awk '{print $1}'; }

require_mirror() {
  curl -fsSI -o /dev/null --max-time 20 "$mirror/dists/$suite/InRelease" 2>/dev/null || skip "no Debian mirror can be reached at $mirror"
}

# bootstrap PACKAGES TARGET   a Debian with these packages (with commas between): a folder, or a tar file where the name says so.
bootstrap() {
  mmdebstrap --quiet --variant=minbase --dpkgopt=force-unsafe-io --include="$1" "$suite" "$2" "deb $mirror $suite main" \
    "deb $mirror $suite-updates main" "deb $security_mirror $suite-security main" >"$work/bootstrap.log" 2>&1 ||
    { tail -n 30 "$work/bootstrap.log" >&2; fail "mmdebstrap failed"; }
}

# boot_container FOLDER   FOLDER is /debs there.
boot_container() {
  setsid systemd-nspawn --boot --directory="$tree" --register=no --keep-unit --machine="gp-test-$$" --console=pipe --private-network \
    --volatile=overlay --bind-ro="$1:/debs" </dev/null >"$work/container.log" 2>&1 9>&- &
  nspawn=$!
  eventually 30 has_leader || { tail -n 20 "$work/container.log" >&2; fail "the container does not start"; }
  eventually 120 container_is_up ||
    { in_container systemctl --failed --no-pager || true; fail "the container does not come up"; }
}

# Asked one by one: of several units systemctl is content with a single active one.
container_is_up() {
  local name
  for name in multi-user.target nginx.service postgresql@15-main.service; do in_container systemctl is-active --quiet "$name" || return 1; done
  in_container systemctl is-system-running --quiet
}

has_leader() { leader=$(pgrep -P "$nspawn" -x systemd); }

in_container() { nsenter -t "$leader" -m -u -i -n -p -C -r -w "$@"; }

end_container() {
  [[ -n ${leader:-} ]] || return 0
  in_container systemctl poweroff >/dev/null 2>&1 || true
  eventually 30 container_is_gone || kill -s KILL "$leader" "$nspawn" 2>/dev/null || true
  leader=
}

container_is_gone() { ! kill -0 "$nspawn" 2>/dev/null; }
