#!/usr/bin/env bash
# What rules cost, by instruction count: an event costs the same with rules for one other program and for ten thousand, and
# one that is dropped costs the host less than half of one that is stored, the daemon's work included.
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
output=$("$vm_here/vm.sh" run --kernel "$2" --icount --timeout 900 --build "$1" --add "$1/tests/cost" --add "$vm_here/daemon-inside.sh" \
  --add "$vm_here/whitelist-cost-inside.sh" -- "sh /add/whitelist-cost-inside.sh $3" 2>&1) || status=$?
printf 'Instructions of a thousand UDP connects and closes, kernel %s, %s:\n%s\n' "$2" "$3" "$output"
if ((status != 0)); then exit "$status"; fi
of() { awk -v with="$1" -v column="$2" '$1 == with { print $column }' <<<"$output"; }
nothing=$(of nothing 2) one=$(of one 2) many=$(of many 2)
[[ $nothing && $one && $many && $(of stored 3) && $(of dropped 3) ]] || die 'a measurement is missing'
in_program_stored=$(($(of stored 2) - nothing)) in_program_dropped=$(($(of dropped 2) - nothing))
stored=$((in_program_stored + $(of stored 3))) dropped=$((in_program_dropped + $(of dropped 3)))
printf 'Above nothing, in the program: stored %d, one ruled program %d, ten thousand %d, dropped %d; and in the daemon: stored %d, dropped %d\n' \
  $in_program_stored $((one - nothing)) $((many - nothing)) $in_program_dropped $stored $dropped
((10 * (many - one) <= one - nothing && 10 * (one - many) <= one - nothing)) ||
  die 'ten thousand ruled programs cost more than one, or less'
((in_program_dropped < in_program_stored)) || die 'a dropped event costs the program as much as a stored one'
((2 * dropped < stored)) || die 'a dropped event costs the host more than half of a stored one'
