#!/usr/bin/env bash
# Renews docs/verifier-counts.md: how many instructions the verifier of each kernel looks at for each program.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'HELP'
usage: sudo scripts/verifier-counts.sh [BUILD]

Boots the kernels of tests/vm/kernels.txt with the daemon of the build tree BUILD (default: build/release), loads the
programs of both mechanisms, and writes docs/verifier-counts.md. Takes some minutes.

Exit codes: 0 written, 1 a kernel could not be asked, 2 usage.
HELP
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  -*) usage >&2 && exit 2 ;;
esac
build=${1:-build/release}
table=docs/verifier-counts.md
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# shellcheck disable=SC2016 # for the machine's shell
inside='for mechanism in fentry tracepoint; do
  echo "probes: {mechanism: $mechanism}" >c.yml
  /iptrackd/iptrackd probes --json --config c.yml >/out/$mechanism.json
done'

kernels=()
while read -r kernel _; do kernels+=("$kernel"); done < <(grep '^[0-9]' tests/vm/kernels.txt)
for kernel in "${kernels[@]}"; do
  echo "kernel $kernel ..."
  tests/vm/vm.sh run --kernel "$kernel" --build "$build" --timeout 300 --out "$work/$kernel" -- "$inside"
done
scripts/lib/verifier-counts.py "$work" "${kernels[@]}" >"$table"
echo "written: $table"
