# shellcheck shell=bash
# shellcheck disable=SC2154  # state and sockets are set by the caller
# A private PostgreSQL: its files under $state, its unix socket under $sockets (whose path must be short), no TCP port.

make_sockets_folder() {
  mkdir -p "$sockets"
  chmod 711 "$sockets" || true
  [[ -O $sockets && ! -L $sockets ]] || die "$sockets belongs to somebody else"
}

remove_sockets_folder() {
  if [[ -d $sockets && -O $sockets && ! -L $sockets ]]; then rm -rf "$sockets"; fi
}

# PostgreSQL does not run as root: it gets the account that its package makes, else the one that owns nothing.
database_user() { id -un postgres 2>/dev/null || echo nobody; }

as_database_user() {
  local words
  read -ra words <<<"$(as_database_user_words)"
  "${words[@]}" "$@"
}

# Under $state where its account can reach that, else beside the sockets (a clone in /root is closed to it).
database_folder() {
  mkdir -p "$state"
  if as_database_user test -x "$state" 2>/dev/null; then echo "$state/postgres"; else echo "/var/tmp/${sockets##*/}-postgres"; fi
}

private_database_url() { echo "postgresql:///postgres?host=$sockets/postgres&user=postgres"; }

# Starts it and prints nothing; DATABASE_URL names it afterwards. The array postgres_options, where it is set, holds options of the server.
start_database() {
  local programs data
  programs=$(find /usr/lib/postgresql -maxdepth 2 -name bin | sort -V | tail -n 1)
  [[ -x $programs/postgres ]] || die "PostgreSQL's server is not installed"
  data=$(database_folder)
  mkdir -p "$data" "$sockets/postgres"
  chmod 700 "$data" "$sockets/postgres"
  ((EUID == 0)) && chown "$(database_user):" "$data" "$sockets/postgres"
  if [[ ! -f $data/PG_VERSION ]]; then
    say "making a private PostgreSQL cluster"
    (cd / && as_database_user "$programs/initdb" -D "$data" -U postgres -A trust -E UTF8 --no-locale --no-instructions) \
      >"$state/log/postgres.log" 2>&1 || stack_failed postgres
  fi
  say "starting PostgreSQL"
  process_start postgres "$(command -v bash)" -c "cd / && exec $(as_database_user_words) '$programs/postgres' -D '$data' \
    -c listen_addresses= -c unix_socket_directories='$sockets/postgres' -c max_connections=300 ${postgres_options[*]:-}"
  wait_for 60 "$programs/pg_isready" -q -h "$sockets/postgres" || stack_failed postgres
  DATABASE_URL=$(private_database_url)
  export DATABASE_URL
}

as_database_user_words() {
  ((EUID == 0)) && echo "setpriv --reuid=$(database_user) --regid=$(id -g "$(database_user)") --clear-groups env HOME=/tmp"
  return 0
}
