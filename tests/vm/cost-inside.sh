#!/bin/sh
# cost-inside.sh: runs in the virtual machine whose clock counts instructions (vm.sh --icount). What a thousand system calls
# that no hook is for cost without a daemon, with one that uses fentry, and, as the measure must be able to tell a
# difference, with one that uses tracepoints. Prints "MECHANISM INSTRUCTIONS" lines.
measure_with() { # MECHANISM
  rm -rf /tmp/daemon && mkdir /tmp/daemon
  cat >/tmp/daemon/iptrackd.yml <<CONFIGURATION
probes: {mechanism: $1}
pam: {fifo-file: /tmp/daemon/pam.fifo}
database: {driver-name: jsonl, filename: /tmp/daemon/rows.jsonl}
CONFIGURATION
  : >/tmp/daemon/log
  /iptrackd/iptrackd run --config /tmp/daemon/iptrackd.yml 2>/tmp/daemon/log &
  daemon=$!
  until grep -q 'ready: iptrackd' /tmp/daemon/log; do
    if ! kill -0 $daemon 2>/dev/null || grep -q 'not ready' /tmp/daemon/log; then
      cat /tmp/daemon/log
      exit 1
    fi
    sleep 1
  done
  echo "$1 $(/add/cost getppid)"
  kill -TERM $daemon
  wait $daemon
}

echo "nothing $(/add/cost getppid)"
measure_with fentry
echo "nothing_again $(/add/cost getppid)"
measure_with tracepoint
