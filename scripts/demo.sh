#!/usr/bin/env bash
# Shows iptrackd at work on this machine: builds it, starts it with a PostgreSQL of its own, does a few things worth a row, and prints
# the rows as they arrive. Everything that it starts ends with it, and nothing of the machine's own configuration is changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/steps.sh
. scripts/lib/steps.sh
# shellcheck source=scripts/lib/sshd.sh
. scripts/lib/sshd.sh
# shellcheck source=scripts/lib/deeds.sh
. scripts/lib/deeds.sh
# shellcheck source=scripts/lib/rows.sh
. scripts/lib/rows.sh

usage() {
  cat <<'HELP'
usage: sudo scripts/demo.sh [--seconds N]

  --seconds N  stop by itself N seconds after the daemon is ready; without it, until Ctrl-C
  -h, --help   this text

Installs missing Debian packages (scripts/setup.sh), builds into build/release, and works in build/demo. Exit codes: 0 rows of exec,
connect, accept, bind, close, open_session and close_session were all seen, 1 they were not or something failed, 2 usage, 130 ended
before the daemon was ready.
HELP
}

wanted_kinds=(exec connect accept bind close open_session close_session)
work=$PWD/build/demo
run_dir=''
daemon_pid=''
deeds_pid=''
following=no

die() {
  printf 'demo: %s\n' "$1" >&2
  exit 1
}

interrupted() {
  if [[ $following == yes ]]; then
    following=no
  else
    exit 130
  fi
}

stop_group() { # PID of a job, which is a process group of its own
  {
    kill -TERM -- "-$1"
    wait "$1"
  } 2>/dev/null || true
}

stop_daemon() {
  if [[ ! $daemon_pid ]]; then return 0; fi
  kill -TERM "$daemon_pid" 2>/dev/null || true
  for _ in {1..100}; do
    if ! kill -0 "$daemon_pid" 2>/dev/null; then break; fi
    pause 0.1
  done
  kill -KILL "$daemon_pid" 2>/dev/null || true
  wait "$daemon_pid" 2>/dev/null || true
  daemon_pid=''
}

# What acts first, then what watches, then what stores.
stop_deeds() {
  if [[ $deeds_pid ]]; then stop_group "$deeds_pid"; fi
  deeds_pid=''
  sshd_stop "$work/sshd" || true
}

cleanup() {
  trap '' INT TERM
  set +e
  stop_step
  stop_deeds
  stop_daemon
  rows_close
  if [[ $run_dir ]]; then
    scripts/postgres.sh remove "$work/postgres"
    rm -rf "$run_dir" "$work/spool" "$work/run-directory" "$pin_dir"
  fi
}

# Directories of a run, and of one that was killed before it could remove them: their name is kept in the work directory.
make_directories() {
  local left=''
  if [[ -f $work/run-directory ]]; then left=$(<"$work/run-directory"); fi
  if [[ $left == /run/iptrackd-demo-?????? ]]; then rm -rf "$left" "/sys/fs/bpf/${left##*/}"; fi
  # No dot: the BPF file system takes no name with one.
  run_dir=$(mktemp -d /run/iptrackd-demo-XXXXXX)
  pin_dir=/sys/fs/bpf/${run_dir##*/}
  echo "$run_dir" >"$work/run-directory"
}

# The socket's path may have 107 bytes, which the place of this tree could use up: what is named in it stands below /run.
write_configuration() {
  local quote="'"
  yaml() { printf "'%s'" "${1//$quote/$quote$quote}"; }
  cat >"$work/iptrackd.yml" <<YAML
# Of scripts/demo.sh; written anew each time.
bpf: {pin-directory: $(yaml "$pin_dir"), keep-on-exit: false}
pam: {fifo-file: $(yaml "$run_dir/pam.fifo")}
spool: {directory: $(yaml "$work/spool")}
control: {socket: $(yaml "$run_dir/control.sock")}
database:
  driver-name: postgresql
  host: $(yaml "$PGHOST")
  port: $PGPORT
  dbname: $(yaml "$PGDATABASE")
  user: $(yaml "$PGUSER")
YAML
}

# Runs in a shell of its own. A server that outlived a killed demo would hold the lock against the next one.
start_postgres() {
  exec {lock}>&-
  scripts/postgres.sh remove "$work/postgres"
  scripts/postgres.sh start "$work/postgres"
}

start_daemon() {
  # Here, not by the redirection alone, which happens later, in the new process: the "ready" of the last run would be read.
  : >"$work/iptrackd.log"
  # It ends with this script even where that is killed.
  setpriv --pdeathsig TERM build/release/iptrackd run --config "$work/iptrackd.yml" \
    >"$work/iptrackd.log" 2>&1 </dev/null {lock}>&- &
  daemon_pid=$!
  for _ in {1..300}; do
    if [[ $(<"$work/iptrackd.log") == *"ready:"* ]]; then return 0; fi
    if ! kill -0 "$daemon_pid" 2>/dev/null; then break; fi
    pause 0.1
  done
  tail -n 20 "$work/iptrackd.log" >&2
  die "iptrackd did not get ready; its output stands above and in build/demo/iptrackd.log"
}

follow() {
  local until_second=$((SECONDS + ${1:-0}))
  following=yes
  while [[ $following == yes ]] && { [[ ! $1 ]] || ((SECONDS < until_second)); }; do
    rows_print || die "the database does not answer any more"
    kill -0 "$daemon_pid" 2>/dev/null || die "iptrackd ended by itself; see build/demo/iptrackd.log"
    pause 0.3
  done
  following=no
}

# The daemon writes what it still holds when it stops; those rows count too.
drain() {
  local before
  trap '' INT TERM
  stop_deeds
  stop_daemon
  while before=$rows_last_seq && rows_print && ((rows_last_seq > before)); do :; done
}

verdict() {
  local kind missing=()
  printf '\nRows by kind:\n'
  for kind in "${!rows_seen[@]}"; do printf '%8d  %s\n' "${rows_seen[$kind]}" "$kind"; done | sort -k 2
  for kind in "${wanted_kinds[@]}"; do
    if [[ ! ${rows_seen[$kind]:-} ]]; then missing+=("$kind"); fi
  done
  if ((${#missing[@]} > 0)); then
    printf 'demo: no row of: %s\n' "${missing[*]}" >&2
    return 1
  fi
}

seconds=''
while (($# > 0)); do
  case $1 in
    --seconds) seconds=${2:-} && shift ;;
    -h | --help) usage && exit 0 ;;
    *) echo "demo: unknown argument '$1'; see scripts/demo.sh --help" >&2 && exit 2 ;;
  esac
  if [[ ! $seconds =~ ^[1-9][0-9]{0,6}$ ]]; then
    echo 'demo: --seconds takes a whole number from 1 on' >&2
    exit 2
  fi
  shift
done
need_root 'it loads BPF programs, and logs in through a private sshd'

mkdir -p "$work"
exec {lock}>"$work/lock"
flock -n "$lock" || die "another demo runs in this tree"
trap cleanup EXIT
trap interrupted INT TERM

scripts/setup.sh --for demo
step "$work/build.log" 'building iptrackd' build_preset release iptrackd iptrackd-pam-callback || die "the build failed"

make_directories
step "$work/postgres.log" 'starting PostgreSQL' start_postgres || die "there is no database"
set -a
# shellcheck source=/dev/null
. "$work/postgres/connection.env"
set +a
write_configuration
step "$work/schema.log" 'applying the schema' build/release/iptrackd schema apply --config "$work/iptrackd.yml" ||
  die "the schema could not be applied"
# What can be ready before the daemon is: its rows would only push those that matter out of sight.
sshd_start "$work/sshd" "$PWD/build/release/iptrackd-pam-callback" "$run_dir/pam.fifo" || die "there is no sshd to log in to"
rows_open
start_daemon
deeds "$work/sshd" {lock}>&- &
deeds_pid=$!

say "iptrackd is ready; rows of iptrackd.activity, ${seconds:+for $seconds s, }Ctrl-C ends"
rows_header
follow "$seconds"
drain
verdict
