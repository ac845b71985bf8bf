#!/bin/sh
# faults-inside.sh MECHANISM PROGRAM...: runs in the virtual machine. For each program a daemon in which it stays silent, and a
# few cases of every kind. Prints "PROGRAM: said | did not say, N cases fail: ..." lines.
mechanism=$1
shift
cases='exec: empty arguments,exec: a file that is not there,exec: a file that is no program,exec: an argument that is too long'
cases="$cases,connect: TCP over IPv4,connect: TCP over IPv6,connect: UDP over IPv4,connect: no route*,connect: refused over IPv6"
cases="$cases,bind: the kernel chooses a TCP port over IPv4,bind: the kernel chooses a TCP port over IPv6,bind: a TCP port that is in use"
cases="$cases,bind: a UDP port that is in use,accept: over IPv4,accept: by accept4,close: by SIGKILL,close: UDP over IPv4,identity: a child in a*"
export IPTRACKD_TEST_DAEMON=/iptrackd/iptrackd-with-faults IPTRACKD_TEST_PROGRAMS=/iptrackd IPTRACKD_TEST_STATE=/tmp/daemon
export IPTRACKD_TEST_MECHANISM="$mechanism" IPTRACKD_TEST_DROP_IN='database: {batch: {linger-ms: 5}}'

for program; do
  export IPTRACKD_FAULT="silent:$program"
  /iptrackd/run-scenarios --start-daemon /tmp/daemon || continue
  /iptrackd/run-scenarios --test-case="$cases" --no-colors=true >/tmp/cases 2>&1
  failed=$(sed -n 's/^TEST CASE: *//p' /tmp/cases | sort -u)
  /iptrackd/run-scenarios --stop-daemon /tmp/daemon >/tmp/stopped 2>&1
  said='is not noticed'
  if grep -q 'stays silent' /tmp/stopped; then said="is noticed as $(sed -n 's/.*hook \([^ ]*\) is attached and stays silent.*/\1/p' /tmp/stopped | sort -u | tr '\n' ' ')"; fi
  echo "$program: $said; $(printf '%s' "$failed" | grep -c .) cases fail: $(printf '%s' "$failed" | head -n 3 | tr '\n' ',')"
done
