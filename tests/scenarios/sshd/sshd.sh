#!/usr/bin/env bash
# A real sshd with the PAM callback in `auth` and `session`, kept between calls so that a test can start it, log in as
# often as it likes, and end it.
#
#   sshd.sh start DIR FIFO CALLBACK   starts it on a free port of 127.0.0.1; its state is kept in DIR
#   sshd.sh login DIR [N]             N logins as root with a key (PAM: open_session, close_session)
#   sshd.sh password DIR [N]          N logins of a user of its own with a password (PAM: auth as well)
#   sshd.sh stop DIR                  ends it and removes its user and PAM file
#
# Each login prints its facts as one line of JSON, as the login's own shell sees them: method, user, client and server
# address and port, the shell's pid, and its parent, which is sshd. Needs root, openssh-server and openssh-client.
set -euo pipefail
export LC_ALL=C

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=scripts/lib/sshd.sh
. "$here/../../../scripts/lib/sshd.sh"

# What a login runs, by the shell of its user.
# shellcheck disable=SC2016 # expanded there
readonly facts='
set -- $SSH_CONNECTION
printf "{\"method\":\"%s\",\"user\":\"%s\",\"client_addr\":\"%s\",\"client_port\":%s," "$method" "$(id -un)" "$1" "$2"
printf "\"server_addr\":\"%s\",\"server_port\":%s,\"shell_pid\":%s,\"sshd_pid\":%s}\n" "$3" "$4" "$$" "$PPID"'

fail() {
  printf 'sshd.sh: %s\n' "$1" >&2
  exit 1
}

user_of() { printf 'ipt-test-%s' "$1"; }

# The owner of the sshd, in the background: the sshd ends with this process, however it ends.
hold() {
  local dir=$1 fifo=$2 callback=$3 user password
  user=$(user_of "$BASHPID")
  # shellcheck disable=SC2317 # called by the trap
  clean_up() {
    sshd_stop "$dir" || true
    userdel "$user" 2>/dev/null || true
    rm -f "$dir/port" "$dir/user" "$dir/password" "$dir/askpass" "$dir/holder"
  }
  trap clean_up EXIT
  trap 'exit 0' TERM INT HUP
  mkdir -p "$dir"
  printf '%s\n' "$BASHPID" >"$dir/holder"
  password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
  useradd --no-create-home --home-dir / --shell /bin/sh "$user"
  printf '%s:%s\n' "$user" "$password" | chpasswd
  (umask 077 && printf '%s\n' "$password" >"$dir/password")
  printf '%s\n' "$user" >"$dir/user"
  # shellcheck disable=SC2016 # expanded when it runs
  printf '#!/bin/sh\nexec cat "${0%%/*}/password"\n' >"$dir/askpass"
  chmod 0700 "$dir/askpass"
  sshd_start "$dir" "$callback" "$fifo" PasswordAuthentication=yes "AllowUsers=root $user"
  printf '%s\n' "$sshd_port" >"$dir/port"
  while kill -0 "$sshd_pid" 2>/dev/null; do sleep 1 & wait $! || true; done
}

# Users of runs that were killed; their name holds the pid of their owner.
remove_stale_users() {
  local user
  while IFS=: read -r user _; do
    if [[ $user == ipt-test-* && ! -d /proc/${user##*-} ]]; then userdel "$user" 2>/dev/null || true; fi
  done </etc/passwd
}

start() {
  local dir=$1 holder
  [[ -x $3 ]] || fail "$3 is not a program"
  [[ ! -e $dir/port ]] || fail "an sshd of $dir runs already; stop it first"
  remove_stale_users
  mkdir -p "$dir"
  setsid "$here/sshd.sh" hold "$@" </dev/null >"$dir/holder.log" 2>&1 &
  holder=$!
  for _ in {1..100}; do
    if [[ -s $dir/port ]]; then return 0; fi
    kill -0 "$holder" 2>/dev/null || break
    sleep 0.1
  done
  kill "$holder" 2>/dev/null || true
  fail "it did not start: $(tail -n 3 "$dir/holder.log")"
}

load() {
  [[ -s $1/port ]] || fail "no sshd of $1 runs"
  sshd_port=$(<"$1/port")
}

login() {
  local dir=$1 count=${2:-1}
  load "$dir"
  for ((; count > 0; count--)); do sshd_login "$dir" root "method=publickey; $facts"; done
}

password() {
  local dir=$1 count=${2:-1}
  load "$dir"
  for ((; count > 0; count--)); do
    SSH_ASKPASS=$dir/askpass SSH_ASKPASS_REQUIRE=force ssh -F none -q -p "$sshd_port" -o IdentityAgent=none \
      -o PubkeyAuthentication=no -o PreferredAuthentications=password -o NumberOfPasswordPrompts=1 \
      -o UserKnownHostsFile="\"$dir/known_hosts\"" -o StrictHostKeyChecking=yes -o ConnectTimeout=10 \
      "$(<"$dir/user")@127.0.0.1" "method=password; $facts" </dev/null
  done
}

stop() {
  local dir=$1
  if [[ ! -s $dir/holder ]]; then return 0; fi
  kill "$(<"$dir/holder")" 2>/dev/null || true
  for _ in {1..100}; do
    if [[ ! -e $dir/holder ]]; then return 0; fi
    sleep 0.1
  done
  fail "it did not end"
}

case ${1:-}:$# in
  start:4 | hold:4 | login:[23] | password:[23] | stop:2) "$@" ;;
  *) fail 'usage: start DIR FIFO CALLBACK | login DIR [N] | password DIR [N] | stop DIR' ;;
esac
