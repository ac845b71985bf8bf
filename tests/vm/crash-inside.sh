#!/bin/sh
# crash-inside.sh load|rest MECHANISM INTERVAL_MS LOGINS: runs in the virtual machine, once before the crash and once after it,
# with the same disk. crash.py reads what it prints, each line when it is true:
#
#   boot ID              of this boot
#   exec N TIME          a program that got the argument exec-N has ended; TIME is of the wall clock, in seconds
#   login N TIME         the PAM callback for the user login-N has handed its record over
#   crash TIME           what comes next is the crash
#
# `load` ends with a crash by sysrq: nothing is synced, nothing is unmounted. `rest` starts the daemon once more on what the
# disk holds, runs a few programs more, stops it and leaves in /out:
#
#   rows.jsonl           everything that was delivered
#   daemon.log           what the daemon said
# shellcheck disable=SC3028 # busybox has EPOCHREALTIME
set -u
part=$1 mechanism=$2 interval_ms=$3 logins=$4
readonly seconds_of_load=6
# In the second part numbers go on here.
readonly first_of_rest=1000000

fail() {
  echo "crash-inside.sh: $1"
  cat /tmp/daemon.log 2>/dev/null
  exit 1
}

start_daemon() { # DATABASE
  mkdir -p /tmp/daemon
  cat >/tmp/iptrackd.yml <<CONFIGURATION
probes: {mechanism: $mechanism}
pam: {fifo-file: /tmp/daemon/pam.fifo}
spool: {directory: /disk/spool, sync-interval-ms: $interval_ms}
database: $1
CONFIGURATION
  /iptrackd/iptrackd run --config /tmp/iptrackd.yml 2>/tmp/daemon.log &
  daemon=$!
  until grep -q 'ready: iptrackd' /tmp/daemon.log; do
    if ! kill -0 $daemon 2>/dev/null || grep -q 'not ready' /tmp/daemon.log; then fail 'the daemon is not ready'; fi
    sleep 0.1
  done
}

# A shell's own clock, as a program to read one would be load as well.
execs() { # FIRST LAST
  number=$1
  while [ "$number" -le "$2" ]; do
    /iptrackd/noop "exec-$number" && echo "exec $number $EPOCHREALTIME"
    number=$((number + 1))
  done
}

log_in() {
  number=1
  export PAM_TYPE=open_session PAM_SERVICE=sshd PAM_RHOST=2001:db8::7
  export SSH_CONNECTION='2001:db8::7 50000 2001:db8::1 22'
  while :; do
    PAM_USER=login-$number /add/iptrackd-pam-callback -p /tmp/daemon/pam.fifo && echo "login $number $EPOCHREALTIME"
    number=$((number + 1))
    sleep 0.2
  done
}

load() {
  # Nobody listens there: everything stays in the spool.
  start_daemon '{driver-name: postgresql, host: 127.0.0.1, port: 1}'
  /iptrackd/generator events=1000000 per-second=500 workers=1 &
  execs 1 $((first_of_rest - 1)) &
  if [ "$logins" = yes ]; then log_in & fi
  sleep $seconds_of_load
  echo "crash $EPOCHREALTIME"
  # Waits until the serial port has sent that.
  stty -F /dev/ttyS1 raw -echo
  echo b >/proc/sysrq-trigger
}

rest() {
  dmesg | grep -q 'EXT4-fs.*recovery complete' || fail 'the disk needs no recovery: that was no crash'
  start_daemon '{driver-name: jsonl, filename: /tmp/rows.jsonl}'
  execs $first_of_rest $((first_of_rest + 19))
  kill -TERM $daemon
  wait $daemon || fail "the daemon ended with $?"
  cp /tmp/rows.jsonl /tmp/daemon.log /out/
}

mkdir -p /disk
mount -t ext4 /dev/nvme0n1 /disk || fail 'the disk cannot be mounted'
echo "boot $(cat /proc/sys/kernel/random/boot_id)"
case $part in
  load) load ;;
  rest) rest ;;
esac
