#!/bin/sh
# scenarios-inside.sh SECONDS MECHANISM FILE...: runs in the virtual machine. All cases of tests/scenarios/FILE_test.cpp in one
# process, against one daemon, with rows from a jsonl file; what it leaves in /out is read by report.py.
#
#   report.xml     doctest's report
#   cases.status   exit code of run-scenarios; 143 where it was ended because a case hangs
#   stop.status, stop.output   of the daemon
seconds=$1 mechanism=$2
shift 2
filter=
for file; do filter="$filter,*/${file}_test.cpp"; done
scenarios=/iptrackd/run-scenarios
export IPTRACKD_TEST_DAEMON=/iptrackd/iptrackd IPTRACKD_TEST_PROGRAMS=/iptrackd IPTRACKD_TEST_STATE=/tmp/daemon
export IPTRACKD_TEST_MECHANISM="$mechanism"
# A thousand on a host; here they are emulated, and each of them is a race all the same.
export IPTRACKD_TEST_RACES=100
export IPTRACKD_TEST_PAIRS=20000 IPTRACKD_TEST_CONNECTIONS=200
# Nobody lives by this clock.
export IPTRACKD_TEST_MAY_SET_CLOCK=1
# Each case waits for its rows: by default most of its time.
export IPTRACKD_TEST_DROP_IN='database: {batch: {linger-ms: 5}}'

if ! $scenarios --start-daemon /tmp/daemon; then
  echo 'the daemon does not start; no case ran'
  exit 1
fi
timeout "$seconds" $scenarios --source-file="${filter#,}" --reporters=xml --no-path-filenames=true --out=/out/report.xml
echo $? >/out/cases.status
$scenarios --stop-daemon /tmp/daemon >/out/stop.output 2>&1
echo $? >/out/stop.status
cat /out/stop.output
