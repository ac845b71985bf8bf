#!/usr/bin/env bash
# What a connect() costs while the whitelist is replaced a hundred times a second, against the same while it is not.
set -euo pipefail

seconds=60
work='' pins='' daemon='' load=''

usage() {
  cat <<HELP
usage: sudo bench/whitelist-exchange.sh [--seconds N] BUILD

Starts the daemon of the build tree BUILD with a configuration, a spool and pins of its own, and BUILD/tests/generator
as load beside it. Then a program connects UDP sockets for N seconds; in every other second the whitelist is replaced
a hundred times, or as often as the load lets the daemon. Prints p50, p99 and p99.9 of connect() for both kinds of
seconds, of all and of those that were not preempted, how often the list was replaced, and the ratios of the p99.9.
A daemon that is at work on the host sees the same deeds and makes both kinds of seconds slower: better stop it.

  --seconds N  how long it measures, 4 to 600 (default: $seconds)
  -h, --help   this text

BUILD needs the target bench: cmake --build BUILD --target bench
Exit codes: 0 measured, whatever the ratio, 1 nothing could be measured, 2 usage.
HELP
}

die() {
  printf 'whitelist-exchange: %s\n' "$1" >&2
  exit "${2:-1}"
}

clean_up() {
  local leader
  # The generator's workers are in a session of their own, led by its child.
  if [[ $load ]] && leader=$(pgrep -P "$load"); then kill -KILL -- "-$leader" || true; fi
  if [[ $daemon ]]; then
    kill -TERM "$daemon" 2>/dev/null || true
    wait "$daemon" || true
  fi
  # A daemon that was killed has left its pins.
  if [[ $pins ]]; then rm -rf -- "$pins"; fi
  if [[ $work ]]; then rm -rf -- "$work"; fi
}

start_daemon() { # BUILD
  cat >"$work/iptrackd.yml" <<CONFIGURATION
bpf: {pin-directory: $pins, keep-on-exit: false}
pam: {fifo-file: $work/pam.fifo}
control: {socket: $work/control.sock}
spool: {directory: $work/spool, max-size: 256MiB}
database: {driver-name: jsonl, filename: "-"}
CONFIGURATION
  : >"$work/log"
  "$1/iptrackd" run --config "$work/iptrackd.yml" 2>"$work/log" >/dev/null &
  daemon=$!
  for _ in {1..300}; do
    if grep -q 'ready: iptrackd' "$work/log"; then return 0; fi
    if ! kill -0 "$daemon" 2>/dev/null; then break; fi
    sleep 0.1
  done
  tail -n 5 "$work/log" >&2
  die 'the daemon does not become ready; the end of its log stands above'
}

# As fast as it can, and for longer than anybody measures.
start_load() { # BUILD
  "$1/tests/generator" events=1000000000000 >/dev/null 2>"$work/load" &
  load=$!
}

while (($# > 0)); do
  case $1 in
    --seconds)
      seconds=${2:-}
      if ! [[ $seconds =~ ^[1-9][0-9]{0,2}$ ]] || ((seconds < 4 || seconds > 600)); then
        die '--seconds takes a number from 4 to 600' 2
      fi
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    -*) die "unknown argument '$1'; see bench/whitelist-exchange.sh --help" 2 ;;
    *) break ;;
  esac
  shift
done
(($# == 1)) || die 'it takes one build tree; see bench/whitelist-exchange.sh --help' 2
build=$1
for program in iptrackd tests/generator tests/noop bench/connect-latency; do
  [[ -x $build/$program ]] || die "$build/$program is missing; cmake --build $build --target bench makes it"
done
((EUID == 0)) || die 'this needs root: the daemon loads programs into the kernel'

trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
work=$(mktemp -d "${TMPDIR:-/tmp}/iptrackd-bench-XXXXXX") # no dot: the pins' directory has the same name
pins=/sys/fs/bpf/${work##*/}
start_daemon "$build"
start_load "$build"
"$build/bench/connect-latency" "$work/control.sock" "$seconds" || exit 1
kill -0 "$load" 2>/dev/null || die "the load ended before the measurement did: $(cat "$work/load")"
