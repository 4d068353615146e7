# shellcheck shell=bash
# What the machine must have: Debian 12's packages, installed where they are missing.

# To build and run; `test` and `bench` add what only they use.
packages_to_run=(
  ca-certificates cmake curl g++ jq libboost-test1.81-dev libboost1.81-dev libcli11-dev libcurl4-openssl-dev libfcgi-dev
  libfmt-dev libpq-dev libre2-dev libsqlite3-dev libsystemd-dev libutf8proc-dev libvalijson-dev nginx-light ninja-build
  nlohmann-json3-dev pkgconf postgresql procps util-linux
)
packages_to_test=(chromium chromium-driver clang-format clang-tidy git iproute2 libfcgi-bin pgbouncer shellcheck systemd)
packages_to_bench=(libnginx-mod-nchan)  # pgbench comes with the server
packages_to_package=(build-essential debhelper dpkg-dev git lintian)
packages_to_test_package=(mmdebstrap piuparts systemd-container)  # autopkgtest is in the tree that tests/package/lib/container.sh makes

# The files are there, even where the package's own set-up did not get through.
is_installed() { [[ $(dpkg-query -W -f='${Status}' "$1" 2>/dev/null) == install\ ok\ @(installed|unpacked|half-configured) ]]; }

# Debian starts a service when its package is installed, and makes a cluster of PostgreSQL's. Ours are private: nothing of the system's
# is started or made now. What says so is removed afterwards: whoever installs those packages later, for themselves, gets what Debian gives.
without_services() {
  local policy=/usr/sbin/policy-rc.d no_cluster=/etc/postgresql-common/createcluster.conf made=()
  if [[ ! -e $policy ]]; then
    printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
    "${sudo[@]}" chmod 755 $policy
    made=("$policy")
  fi
  if [[ ! -e $no_cluster ]]; then
    "${sudo[@]}" mkdir -p "${no_cluster%/*}"
    echo 'create_main_cluster = false' | "${sudo[@]}" tee $no_cluster >/dev/null
    made+=("$no_cluster")
  fi
  local outcome=0
  "$@" || outcome=$?
  ((${#made[@]})) && "${sudo[@]}" rm -f "${made[@]}"
  return "$outcome"
}

apt_get() {
  "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -y -q -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
}

# install_packages run|test|bench|package|test-package
install_packages() {
  command -v dpkg-query >/dev/null || die "this is no Debian: install the packages of packaging/lib/machine.sh and use cmake --preset dev"
  local wanted=("${packages_to_run[@]}") missing=() package
  if [[ $1 == test ]]; then
    wanted+=("${packages_to_test[@]}")
    command -v node >/dev/null || wanted+=(nodejs)
    command -v npm >/dev/null || wanted+=(npm)
  fi
  if [[ $1 == bench ]]; then wanted+=("${packages_to_bench[@]}"); fi
  if [[ $1 == *test* || $1 == package ]]; then wanted+=("${packages_to_package[@]}"); fi
  if [[ $1 == *test* ]]; then wanted+=("${packages_to_test_package[@]}"); fi
  for package in "${wanted[@]}"; do is_installed "$package" || missing+=("$package"); done
  ((${#missing[@]})) || return 0
  sudo=()
  if ((EUID != 0)); then
    command -v sudo >/dev/null || die "these packages are missing, and there is neither root nor sudo to install them: ${missing[*]}"
    sudo=(sudo)
  fi
  say "installing ${#missing[@]} packages: ${missing[*]}"
  apt_get update || die "apt-get update failed"
  without_services apt_get install --no-install-recommends "${missing[@]}" && return 0
  # A package may fail to set up something that we do not need: a certificate on a read-only /etc, for one.
  for package in "${wanted[@]}"; do is_installed "$package" || die "apt-get could not install $package"; done
  say "apt-get could not set up every package (see above), but all files are there: going on"
}
