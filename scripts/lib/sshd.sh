# shellcheck shell=bash
# A private sshd on loopback with a PAM stack of its own, to be sourced. The machine's sshd, its keys and its
# /etc/pam.d/sshd are not touched.
#
#   sshd_start DIR CALLBACK FIFO [SSHD_OPTION...]   starts it; sets sshd_port, sshd_pid and sshd_service
#   sshd_login DIR USER [COMMAND...]                logs in with the private key
#   sshd_stop DIR                                   ends it, and the sessions it still has, and removes the PAM file
#
# DIR is created; FIFO is what the PAM callback is given with -p. SSHD_OPTIONs ("PasswordAuthentication=yes") win over
# the file. Functions return 1 and say why on stderr. One sshd at a time for one shell; needs root and openssh-server.

# sshd gives PAM the base name it was started by as the name of the service, so that a link of its own name has a file
# of its own in /etc/pam.d. The name holds the pid of its owner: two at a time do not meet, and what was left
# behind by one that was killed can be told.
readonly sshd_service_prefix=iptrackd-sshd-

sshd_remove_stale_services() {
  local file owner
  for file in /etc/pam.d/"$sshd_service_prefix"*; do
    owner=${file##*-}
    if [[ -e $file && ! -d /proc/$owner ]]; then rm -f "$file"; fi
  done
}

# $1 callback, $2 FIFO. Brackets let a path hold spaces. Accounts and passwords are the machine's own (pam_unix):
# whatever SSHD_OPTIONs allow, nobody gets in who could not log in anyway.
sshd_pam_stack() {
  local run="pam_exec.so quiet [${1//]/\\]}] -p [${2//]/\\]}]"
  cat <<PAM
# The PAM stack of a test sshd of iptrackd, removed when it ends.
auth     optional  $run
auth     required  pam_unix.so
account  required  pam_unix.so
session  optional  pam_loginuid.so
session  optional  $run
session  required  pam_unix.so
PAM
}

sshd_config() {
  cat <<CONFIG
ListenAddress 127.0.0.1
Port $2
HostKey "$1/host_key"
PidFile "$1/sshd.pid"
AuthorizedKeysFile "$1/authorized_keys"
# The directory may belong to whoever cloned the repository.
StrictModes no
UsePAM yes
PermitRootLogin prohibit-password
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
UseDNS no
CONFIG
}

sshd_fail() {
  printf 'sshd: %s\n' "$1" >&2
  return 1
}

# A port on which nothing listens. Another program may take it in the meantime: the caller tries again.
sshd_free_port() {
  perl -MIO::Socket::INET -e 'my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or exit 1;
                              print $s->sockport, "\n"'
}

sshd_prepare() {
  local dir=$1
  mkdir -p "$dir" || return 1
  rm -f "$dir"/{host_key,login_key}{,.pub} "$dir/sshd.pid" "$dir/sshd.log"
  ssh-keygen -q -t ed25519 -N '' -C 'iptrackd test' -f "$dir/host_key" &&
    ssh-keygen -q -t ed25519 -N '' -C 'iptrackd test' -f "$dir/login_key" &&
    cp "$dir/login_key.pub" "$dir/authorized_keys" &&
    ln -sfn "$(command -v sshd || echo /usr/sbin/sshd)" "$dir/$sshd_service" || return 1
  # The unit of the Debian package makes this one; sshd refuses to start without it. Other sshds may use it by the
  # time that this one ends: it stays.
  install -d -m 0755 /run/sshd
}

sshd_start() {
  local dir=$1 callback=$2 fifo=$3 option
  shift 3
  local options=()
  for option in "$@"; do options+=(-o "$option"); done
  sshd_pid=''
  sshd_service=$sshd_service_prefix$BASHPID
  sshd_remove_stale_services
  sshd_prepare "$dir" || return 1
  sshd_pam_stack "$callback" "$fifo" >"/etc/pam.d/$sshd_service" || return 1
  for _ in 1 2 3; do
    sshd_port=$(sshd_free_port) || continue
    sshd_config "$dir" "$sshd_port" >"$dir/sshd_config"
    printf '[127.0.0.1]:%s %s\n' "$sshd_port" "$(cut -d' ' -f1,2 "$dir/host_key.pub")" >"$dir/known_hosts"
    # It ends with its owner even where that one is killed.
    setpriv --pdeathsig TERM "$dir/$sshd_service" -D -f "$dir/sshd_config" "${options[@]}" -E "$dir/sshd.log" \
      </dev/null &
    sshd_pid=$!
    if sshd_wait "$dir"; then return 0; fi
    kill "$sshd_pid" 2>/dev/null
    wait "$sshd_pid" 2>/dev/null
  done
  sshd_stop "$dir"
  sshd_fail "it does not start; the end of $dir/sshd.log: $(tail -n 3 "$dir/sshd.log" 2>&1)"
}

# It writes its pid once it listens.
sshd_wait() {
  local tries
  for ((tries = 0; tries < 50; tries++)); do
    if [[ -s $1/sshd.pid ]]; then return 0; fi
    kill -0 "$sshd_pid" 2>/dev/null || return 1
    sleep 0.1
  done
  return 1
}

# More options of ssh, for sshd_login.
sshd_client_options=()

sshd_login() {
  local dir=$1 user=$2
  shift 2
  ssh -F none -q -i "$dir/login_key" -p "$sshd_port" -o IdentitiesOnly=yes -o IdentityAgent=none \
    -o UserKnownHostsFile="\"$dir/known_hosts\"" -o StrictHostKeyChecking=yes -o BatchMode=yes -o ConnectTimeout=10 \
    "${sshd_client_options[@]}" "$user@127.0.0.1" "$@"
}

# The process $1 and everything below it, the youngest last.
sshd_descendants() {
  local pid
  printf '%s\n' "$1"
  for pid in $(ps -o pid= --ppid "$1"); do sshd_descendants "$pid"; done
}

sshd_stop() {
  local dir=$1 pids
  if [[ ${sshd_pid:-} ]]; then
    # Looked up before the first is killed: once the listener is gone, its sessions are nobody's children.
    mapfile -t pids < <(sshd_descendants "$sshd_pid")
    kill "${pids[@]}" 2>/dev/null
    wait "$sshd_pid" 2>/dev/null
    sshd_pid=''
  fi
  if [[ ${sshd_service:-} ]]; then rm -f "/etc/pam.d/$sshd_service" "$dir/$sshd_service"; fi
  rm -f "$dir"/{host_key,login_key}{,.pub} "$dir"/authorized_keys
}
