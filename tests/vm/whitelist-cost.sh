#!/usr/bin/env bash
# What rules cost, by instruction count: an event costs the same with rules for one other program and for ten thousand, and
# one that is dropped costs less than one that is stored, without what the daemon saves.
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/whitelist-cost.sh BUILD KERNEL MECHANISM

Boots KERNEL with a clock that counts instructions, and compares a thousand connects and closes over UDP under several
whitelists. Exit codes: 0 as it should be, 1 it is not, or nothing could be measured, 2 usage, 77 this kernel cannot be
fetched here.
HELP
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
(($# == 3)) || die 'it takes a build tree, a kernel and a mechanism; see tests/vm/whitelist-cost.sh --help' 2
status=0
output=$("$vm_here/vm.sh" run --kernel "$2" --icount --timeout 400 --build "$1" --add "$1/tests/cost" \
  --add "$vm_here/whitelist-cost-inside.sh" -- "sh /add/whitelist-cost-inside.sh $3" 2>&1) || status=$?
printf 'Instructions of a thousand UDP connects and closes, kernel %s, %s:\n%s\n' "$2" "$3" "$output"
if ((status != 0)); then exit "$status"; fi
of() { awk -v with="$1" '$1 == with { print $2 }' <<<"$output"; }
nothing=$(of nothing) stored=$(of stored) one=$(of one) many=$(of many) dropped=$(of dropped)
[[ $nothing && $stored && $one && $many && $dropped ]] || die 'a measurement is missing'
printf 'Above nothing: stored %d, one ruled program %d, ten thousand %d, dropped %d\n' \
  $((stored - nothing)) $((one - nothing)) $((many - nothing)) $((dropped - nothing))
((10 * (many - one) <= one - nothing && 10 * (one - many) <= one - nothing)) ||
  die 'ten thousand ruled programs cost more than one, or less'
((dropped < stored)) || die 'a dropped event costs as much as a stored one'
