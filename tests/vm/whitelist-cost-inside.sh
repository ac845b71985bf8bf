#!/bin/sh
# whitelist-cost-inside.sh MECHANISM: runs in the virtual machine whose clock counts instructions (vm.sh --icount). What a
# thousand connects and closes over UDP cost without a daemon, where they are stored, with rules for one other program and for
# ten thousand, and where a rule drops them: in the program that does it, and in the daemon. Prints "CASE PROGRAM DAEMON" lines.
# shellcheck source=tests/vm/daemon-inside.sh
. /add/daemon-inside.sh
mkdir /tmp/others
cost() { echo "$1 $(/add/cost udp "$2")"; } # CASE PROCESS
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

cost nothing 0
start_daemon "$1"
cost stored "$daemon"
rules 1 >/tmp/daemon/one.yml
whitelist replace --from /tmp/daemon/one.yml
cost one 0
whitelist replace '/add/cost|p<4444>'
cost dropped "$daemon"
rules 10000 >/tmp/daemon/many.yml
whitelist replace --from /tmp/daemon/many.yml
cost many 0
stop_daemon
