#!/usr/bin/env bash
# A private, throwaway PostgreSQL cluster for the tests and the demonstration.
#
#   scripts/postgres.sh start DIR    makes the cluster if there is none, starts it, prints DIR/connection.env
#   scripts/postgres.sh stop DIR     stops the server and keeps the data; `start` brings it back on the same port
#   scripts/postgres.sh status DIR   exit code 0 when it runs
#   scripts/postgres.sh remove DIR   stops it and deletes everything that `start` made
#
# It listens on a Unix socket and on 127.0.0.1, at a free port, and trusts whoever connects: it is no place for data
# that matters. DIR/connection.env holds PGHOST, PGPORT, PGUSER and PGDATABASE for libpq's programs.
set -euo pipefail

readonly database=iptrackd
readonly superuser=root
readonly socket_prefix=/tmp/iptrackd-pg. data_prefix=/var/tmp/iptrackd-pg.

die() {
  echo "postgres.sh: $*" >&2
  exit 1
}

# The server refuses to run as root.
as_server() {
  if [[ $(id -u) -eq 0 ]]; then
    runuser -u postgres -- "$@"
  else
    "$@"
  fi
}

find_binaries() {
  local newest
  newest=$(find /usr/lib/postgresql -mindepth 3 -maxdepth 3 -path '*/bin/initdb' 2>/dev/null | sort -V | tail -n 1)
  [[ -n $newest ]] || die "no PostgreSQL server below /usr/lib/postgresql; install the package postgresql"
  dirname "$newest"
}

recorded() { # FILE: what `start` wrote there, or nothing
  if [[ -f $dir/$1 ]]; then cat "$dir/$1"; fi
}

# Below DIR if the server's user can get there, else below /var/tmp: a checkout in a home directory is closed to it.
make_data_directory() {
  local data=$dir/data
  mkdir -m 0700 "$data"
  if [[ $(id -u) -eq 0 ]]; then
    chown postgres "$data"
    if ! (cd / && as_server test -w "$data"); then
      rmdir "$data"
      data=$(cd / && as_server mktemp -d "${data_prefix}XXXXXX")
    fi
  fi
  echo "$data" >"$dir/data_directory"
}

# The path of a Unix socket has room for 107 bytes, and DIR may be longer.
make_socket_directory() {
  local sockets
  sockets=$(recorded socket_directory)
  [[ -n $sockets && -d $sockets ]] && return
  (cd / && as_server mktemp -d "${socket_prefix}XXXXXX") >"$dir/socket_directory"
  chmod 0755 "$(recorded socket_directory)"
}

make_cluster() {
  make_data_directory
  local data
  data=$(recorded data_directory)
  (cd / && as_server "$bin/initdb" -D "$data" -U "$superuser" -A trust -E UTF8 --locale=C.UTF-8 --no-instructions) \
    >"$dir/initdb.log" 2>&1 || die "initdb failed; see $dir/initdb.log"
  (cd / && as_server tee -a "$data/postgresql.conf") >/dev/null <<'CONF'
listen_addresses = '127.0.0.1'
max_connections = 50
shared_buffers = 32MB
min_wal_size = 32MB
max_wal_size = 256MB
log_min_messages = warning
CONF
}

start_on() { # PORT
  (cd / && as_server "$bin/pg_ctl" start -w -t 60 -s -D "$(recorded data_directory)" \
    -l "$(recorded data_directory)/server.log" -o "-p $1 -k $(recorded socket_directory)") 9>&- \
    >>"$dir/start.log" 2>&1
}

# Below the range that the kernel takes ephemeral ports from, so that the port is still free at the next start.
start_on_free_port() {
  local port
  for _ in $(seq 20); do
    port=$((20000 + RANDOM % 12000))
    if start_on "$port"; then
      echo "$port" >"$dir/port"
      return
    fi
  done
  die "the server does not start; see $dir/start.log and $(recorded data_directory)/server.log"
}

restart_on_same_port() {
  for _ in 1 2 3; do
    start_on "$(recorded port)" && return
    sleep 1
  done
  die "port $(recorded port) cannot be used again; see $(recorded data_directory)/server.log"
}

write_connection() {
  cat >"$dir/connection.env" <<ENV
PGHOST=$(recorded socket_directory)
PGPORT=$(recorded port)
PGUSER=$superuser
PGDATABASE=$database
ENV
}

make_database() {
  local -a server=("$bin/psql" -X -q -A -t -v ON_ERROR_STOP=1 -h "$(recorded socket_directory)" -p "$(recorded port)"
    -U "$superuser" -d postgres)
  [[ -n $("${server[@]}" -c "SELECT 1 FROM pg_database WHERE datname = '$database'") ]] ||
    "${server[@]}" -c "CREATE DATABASE $database"
}

is_running() {
  [[ -n $(recorded data_directory) ]] &&
    (cd / && as_server "$bin/pg_ctl" status -D "$(recorded data_directory)") >/dev/null 2>&1
}

start() {
  mkdir -p "$dir"
  exec 9>"$dir/lock"
  flock 9
  if ! is_running; then
    [[ -f $(recorded data_directory)/PG_VERSION ]] || { remove_files && make_cluster; }
    make_socket_directory
    if [[ -n $(recorded port) ]]; then restart_on_same_port; else start_on_free_port; fi
  fi
  write_connection
  make_database
  cat "$dir/connection.env"
}

stop() {
  is_running || return 0
  (cd / && as_server "$bin/pg_ctl" stop -s -m fast -w -t 60 -D "$(recorded data_directory)")
}

# Deletes only paths of the two shapes that `start` makes.
remove_files() {
  local data sockets
  data=$(recorded data_directory)
  sockets=$(recorded socket_directory)
  if [[ $data == "$dir/data" || $data == "$data_prefix"?????? ]]; then rm -rf -- "$data"; fi
  if [[ $sockets == "$socket_prefix"?????? ]]; then rm -rf -- "$sockets"; fi
  rm -rf -- "$dir/data"
  rm -f -- "$dir"/{data_directory,socket_directory,port,connection.env,initdb.log,start.log}
}

remove() {
  [[ -d $dir ]] || return 0
  stop
  remove_files
  rm -f -- "$dir/lock"
  rmdir -- "$dir"
}

[[ $# -eq 2 && -n $2 ]] || die "usage: postgres.sh start|stop|status|remove DIR"
dir=$(realpath -m -- "$2")
readonly dir
bin=$(find_binaries)
readonly bin
case $1 in
  start | stop | remove) "$1" ;;
  status) is_running ;;
  *) die "unknown command '$1'; start, stop, status or remove" ;;
esac
