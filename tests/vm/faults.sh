#!/usr/bin/env bash
# Breaks one hook after the other on purpose, and shows that the daemon says so by name and that cases fail.
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/faults.sh BUILD KERNEL MECHANISM [PROGRAM...]

Boots KERNEL once; for each PROGRAM (default: all that `iptrackd probes` has attached there) a daemon is started in which it is
attached in appearance only, and a few cases of every kind run against it. A line a program. Takes half a minute for each.

Exit codes: 0 each was noticed, 1 one was not, or nothing ran, 2 usage, 77 this kernel cannot be fetched here.
HELP
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
(($# >= 3)) || die 'it takes a build tree, a kernel and a mechanism; see tests/vm/faults.sh --help' 2
build=$1 kernel=$2 mechanism=$3
shift 3
programs=("$@")
if ((${#programs[@]} == 0)); then
  mapfile -t programs < <("$vm_here/vm.sh" run --kernel "$kernel" --build "$build" -- \
    "echo 'probes: {mechanism: $mechanism}' >c.yml; /iptrackd/iptrackd probes --json --config c.yml" |
    python3 -c 'import json, sys; [print(hook["program"]) for hook in json.load(sys.stdin) if hook["tested"]]')
fi
((${#programs[@]} > 0)) || die "kernel $kernel has no hook attached"
"$vm_here/vm.sh" run --kernel "$kernel" --build "$build" --icount --timeout $((60 + 60 * ${#programs[@]})) \
  --add "$vm_here/faults-inside.sh" \
  -- "sh /add/faults-inside.sh $mechanism ${programs[*]}" | tee "$build/vm/faults.$kernel.$mechanism"
[[ $(grep -c 'is noticed' "$build/vm/faults.$kernel.$mechanism") == "${#programs[@]}" ]] || die 'a broken hook was not noticed'
