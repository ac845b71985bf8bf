#!/bin/sh
# cost-inside.sh: runs in the virtual machine whose clock counts instructions (vm.sh --icount). What a thousand system calls
# that no hook is for cost without a daemon, with one that uses fentry, and, as the measure must be able to tell a
# difference, with one that uses tracepoints. Prints "MECHANISM INSTRUCTIONS" lines.
# shellcheck source=tests/vm/daemon-inside.sh
. /add/daemon-inside.sh
measure_with() { # MECHANISM
  start_daemon "$1"
  echo "$1 $(/add/cost getppid)"
  stop_daemon
}

echo "nothing $(/add/cost getppid)"
measure_with fentry
echo "nothing_again $(/add/cost getppid)"
measure_with tracepoint
