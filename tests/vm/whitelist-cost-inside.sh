#!/bin/sh
# whitelist-cost-inside.sh MECHANISM: runs in the virtual machine whose clock counts instructions (vm.sh --icount). What a
# thousand connects and closes over UDP cost without a daemon, where they are stored, with rules for one other program and for
# ten thousand, and where a rule drops them: in the program that does it, and in the daemon. Prints "CASE PROGRAM DAEMON" lines.
mkdir -p /tmp/daemon /tmp/others
cat >/tmp/daemon/iptrackd.yml <<CONFIGURATION
probes: {mechanism: $1}
pam: {fifo-file: /tmp/daemon/pam.fifo}
spool: {directory: /tmp/daemon/spool}
control: {socket: /tmp/daemon/control.sock}
database: {driver-name: jsonl, filename: /tmp/daemon/rows.jsonl}
CONFIGURATION
cost() { echo "$1 $(/add/cost udp $daemon)"; } # CASE
rules() { # COUNT
  echo 'whitelist:'
  echo '  network:'
  number=0
  while [ $number -lt "$1" ]; do
    : >/tmp/others/$number
    echo "    - /tmp/others/$number|p<53>"
    number=$((number + 1))
  done
}
whitelist() { /iptrackd/iptrackd whitelist "$@" --config /tmp/daemon/iptrackd.yml || exit 1; }

daemon=
cost nothing
/iptrackd/iptrackd run --config /tmp/daemon/iptrackd.yml 2>/tmp/daemon/log &
daemon=$!
until grep -q 'ready: iptrackd' /tmp/daemon/log; do
  if ! kill -0 $daemon 2>/dev/null || grep -q 'not ready' /tmp/daemon/log; then
    cat /tmp/daemon/log
    exit 1
  fi
  sleep 1
done
cost stored
rules 1 >/tmp/daemon/one.yml
whitelist replace --from /tmp/daemon/one.yml
cost one
rules 10000 >/tmp/daemon/many.yml
whitelist replace --from /tmp/daemon/many.yml
cost many
whitelist add '/add/cost|p<4444>'
sleep 1
cost dropped
kill -TERM $daemon
wait
