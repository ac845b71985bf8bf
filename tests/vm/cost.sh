#!/usr/bin/env bash
# What the daemon costs system calls that it has no hook for, by instruction count: with fentry, nothing at all. The same
# must be seen to cost something with tracepoints, or the measure says nothing.
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/cost.sh BUILD KERNEL

Boots KERNEL with a clock that counts instructions, and compares a thousand getppid() with and without the daemon.
Exit codes: 0 fentry costs nothing, 1 it does, or nothing could be measured, 2 usage, 77 this kernel cannot be fetched here.
HELP
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
(($# == 2)) || die 'it takes a build tree and a kernel; see tests/vm/cost.sh --help' 2
status=0
output=$("$vm_here/vm.sh" run --kernel "$2" --icount --timeout 200 --build "$1" --add "$1/tests/cost" --add "$vm_here/daemon-inside.sh" \
  --add "$vm_here/cost-inside.sh" -- 'sh /add/cost-inside.sh' 2>&1) || status=$?
printf 'Instructions of a thousand getppid(), kernel %s:\n%s\n' "$2" "$output"
if ((status != 0)); then exit "$status"; fi
of() { awk -v with="$1" '$1 == with { print $2 }' <<<"$output"; }
nothing=$(of nothing) fentry=$(of fentry) tracepoint=$(of tracepoint)
[[ $nothing && $fentry && $tracepoint ]] || die 'a measurement is missing'
# A thousand equal calls that cost more cost a thousand instructions more, or a multiple; the clock itself takes a few.
((tracepoint - nothing >= 1000)) || die 'tracepoints seem to cost nothing, so the measure cannot tell'
((fentry - nothing < 1000)) || die "fentry costs $(((fentry - nothing) / 1000)) instructions a call"
