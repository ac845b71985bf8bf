#!/usr/bin/env bash
# Runs the fuzzers of tests/fuzz/ for as long as one likes; scripts/test.sh gives each a minute.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/steps.sh
. scripts/lib/steps.sh

build=build/fuzz
log=$build/fuzz.log

targets() {
  local file
  for file in tests/fuzz/*_fuzz.cpp; do basename "$file" _fuzz.cpp; done
}

usage() {
  cat <<HELP
usage: scripts/fuzz.sh [--seconds N] [TARGET...]

Builds the fuzzers with clang in $build and runs each for N seconds, as many at a time as there are processors. It
needs no root.

  --seconds N  how long each runs (default: 600)
  TARGET       one or some of: $(targets | paste -sd ' ')
  -h, --help   this text

A target is tests/fuzz/TARGET_fuzz.cpp. It begins with the inputs in tests/fuzz/corpus/TARGET/, changes them at random,
and keeps in $build/tests/fuzz/found/TARGET/ those that reach code which none reached before: the next run
goes on from there. AddressSanitizer, UndefinedBehaviorSanitizer and the target's own demands judge each.

An input that breaks something is a finding, kept as $build/tests/fuzz/TARGET-crash-SUM (timeout-, oom-, leak-).

  see it again       $build/tests/fuzz-TARGET FILE
  make it smaller    $build/tests/fuzz-TARGET -minimize_crash=1 -runs=100000 -exact_artifact_path=SMALL FILE
  once it is mended  put SMALL into tests/fuzz/corpus/TARGET/ under a name that says what it was, and a case into the
                     room's unit tests

In the table, inputs/s are the inputs tried in a second; edges the places of the code reached, of those that clang
counts; features finer than that, with how often; corpus the inputs kept, with those of earlier runs.
Exit codes: 0 no finding, 1 a finding, or the fuzzers could not be built, 2 usage.
HELP
}

die() {
  printf 'fuzz: %s\n' "$1" >&2
  exit "${2:-1}"
}

# One line for each target, from what ctest -V and the fuzzers print.
table() {
  awk '
    / Start +[0-9]+: fuzz\./ { id = $2; sub(/:/, "", id); name[id] = $3; sub(/fuzz\./, "", name[id]); order[++n] = id }
    /^[0-9]+: #[0-9]+\t/ { id = $1; sub(/:/, "", id)
      for (i = 2; i < NF; i++) {
        if ($i == "cov:") edges[id] = $(i + 1)
        if ($i == "ft:") features[id] = $(i + 1)
        if ($i == "corp:") corpus[id] = $(i + 1)
      }
    }
    /^[0-9]+: stat::number_of_executed_units:/ { id = $1; sub(/:/, "", id); runs[id] = $3 }
    /^[0-9]+: stat::average_exec_per_sec:/ { id = $1; sub(/:/, "", id); rate[id] = $3 }
    END {
      printf "%-16s %12s %9s %7s %9s  %s\n", "target", "inputs", "inputs/s", "edges", "features", "corpus"
      for (i = 1; i <= n; i++) {
        id = order[i]
        printf "%-16s %12s %9s %7s %9s  %s\n", name[id], runs[id], rate[id], edges[id], features[id], corpus[id]
      }
    }
  ' "$log"
}

fuzz() { # REGEX
  without_randomisation ctest --preset fuzz -V -j "$(nproc)" -R "$1"
}

build_fuzzers() { # SECONDS PROGRAM...
  local seconds=$1
  shift
  cmake --preset fuzz -D IPTRACKD_FUZZ_SECONDS="$seconds" &&
    cmake --build --preset fuzz -j "$(nproc)" --target "$@"
}

seconds=600
wanted=()
while (($# > 0)); do
  case $1 in
    --seconds)
      [[ ${2:-} =~ ^[1-9][0-9]{0,6}$ ]] || die '--seconds takes a number from 1 on' 2
      seconds=$2
      shift
      ;;
    -h | --help) usage && exit 0 ;;
    -*) die "unknown argument '$1'; see scripts/fuzz.sh --help" 2 ;;
    *)
      [[ -e tests/fuzz/$1_fuzz.cpp ]] || die "no target is called '$1'; there are: $(targets | paste -sd ' ')" 2
      wanted+=("$1")
      ;;
  esac
  shift
done
if ((${#wanted[@]} == 0)); then mapfile -t wanted < <(targets); fi

trap 'stop_step; exit 130' INT
trap 'stop_step; exit 143' TERM
step "$build/build.log" 'building the fuzzers' build_fuzzers "$seconds" "${wanted[@]/#/fuzz-}" || exit 1
begun=$build/fuzz.begun
touch "$begun"
status=0
step "$log" "fuzzing ${wanted[*]}, $seconds s each" fuzz "^fuzz\.($(IFS='|' && echo "${wanted[*]}"))\$" || status=1
table
if ((status != 0)); then
  echo 'fuzz: findings; scripts/fuzz.sh --help says what to do with them:'
  find "$build/tests/fuzz" -maxdepth 1 -type f -newer "$begun" -name '*-*' -printf '  %p (%s bytes)\n'
fi
((status == 0))
