#!/usr/bin/env bash
# One case of a virtual machine test: what the report that boot.sh left says about it.
set -euo pipefail

usage() {
  cat <<'HELP'
usage: tests/vm/case.sh DIR CASE

DIR is BUILD/vm/NAME as boot.sh leaves it. Prints why CASE failed or was skipped. Exit codes: 0 passed, 1 failed or did not
run, 2 usage, 77 skipped.
HELP
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
if (($# != 2)); then
  usage >&2
  exit 2
fi
if [[ ! -s $1/cases.tsv && $(cat "$1/status" 2>/dev/null) == 77 ]]; then
  tail -n 1 "$1/output"
  exit 77
fi
while IFS=$'\t' read -r outcome name text; do
  if [[ $name != "$2" ]]; then continue; fi
  printf '%b\n' "$text"
  case $outcome in passed) exit 0 ;; skipped) exit 77 ;; *) exit 1 ;; esac
done < <(cat "$1/cases.tsv" 2>/dev/null)
echo "'$2' did not run: the report of ${1##*/} has no such case"
exit 1
