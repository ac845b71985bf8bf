#!/usr/bin/env bash
# Builds everything and runs every test: what continuous integration runs. The last line counts them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=scripts/lib/steps.sh
. scripts/lib/steps.sh

usage() {
  cat <<'HELP'
usage: sudo scripts/test.sh [--quick] [-R REGEX]

  --quick     only the unit tests (dev preset) and scripts/lint.sh --fast; needs no root
  -R REGEX    only the ctest cases whose names match; leaves out the lint
  -h, --help  this text

Stages: release (the scenarios, here and in virtual machines), fuzz (by clang: a minute of each fuzzer, and the unit tests under
AddressSanitizer and UndefinedBehaviorSanitizer), sanitize-thread (unit tests of what has threads, under ThreadSanitizer), lint.
Logs stand in build/test-logs. A test that this machine cannot run is counted as skipped, with its reason. The last line is
"N passed, N failed, N skipped".
Exit codes: 0 none failed, 1 some did, 2 usage.
HELP
}

logs=build/test-logs
results=$logs/results.tsv
quick=no
regex=''

record() { # STAGE TEST OUTCOME SECONDS REASON
  printf '%s\t%s\t%s\t%s\t%s\n' "$@" >>"$results"
}

# Only the programs that the unit tests consist of: the sanitizers' stages need no more.
unit_targets() {
  cmake --build --preset "$1" --target help | sed -n 's/^\(unit-[a-z_-]*\): phony.*/\1/p'
}

build_unit_tests() {
  local targets
  cmake --preset "$1" && mapfile -t targets < <(unit_targets "$1") && build_preset "$1" "${targets[@]}"
}

# The daemon and what stands around it; the unit tests are built with sanitizers.
build_daemon_and_scenarios() {
  build_preset "$1" iptrackd iptrackd-pam-callback descriptions package_changelog scenarios
}

# The rooms in which threads meet.
build_threaded_unit_tests() {
  cmake --preset "$1" && build_preset "$1" unit-core unit-control unit-pam unit-spool unit-sink
}

build_fuzzers_and_unit_tests() {
  local targets
  cmake --preset "$1" && mapfile -t targets < <(unit_targets "$1") && build_preset "$1" fuzzers "${targets[@]}"
}

build_stage() { # PRESET BUILD_FUNCTION
  local started=$SECONDS
  if step "$logs/$1-build.log" "$1: building" "$2" "$1"; then return 0; fi
  record "$1" build failed $((SECONDS - started)) "see $logs/$1-build.log"
  return 1
}

test_stage() { # PRESET CTEST_OPTION...
  local preset=$1 junit=$PWD/$logs/$1.xml status=0
  shift
  rm -f "$junit"
  say "$preset: testing"
  watched "$logs/$preset-test.log" without_randomisation ctest --preset "$preset" --output-junit "$junit" \
    ${regex:+-R "$regex"} "$@" || status=$?
  if [[ ! -s $junit ]] || ! scripts/lib/junit.py "$preset" "$junit" >>"$results"; then
    record "$preset" ctest failed 0 "it left no results; see $logs/$preset-test.log"
  elif ((status != 0)) && ! grep -q "^$preset"$'\t.*\tfailed\t' "$results"; then
    record "$preset" ctest failed 0 "it ended with $status; see $logs/$preset-test.log"
  fi
}

# stage PRESET BUILD_FUNCTION CTEST_OPTION...
stage() {
  local preset=$1 build=$2
  shift 2
  if build_stage "$preset" "$build"; then test_stage "$preset" "$@"; fi
}

# For the later stages, which build again what failed here, and tell of it.
build_ahead() {
  build_fuzzers_and_unit_tests fuzz || true
  build_threaded_unit_tests sanitize-thread || true
}

# Everything that is tested of the release build. While the scenarios wait for this and that, the later stages are built.
release_stage() {
  build_stage release build_daemon_and_scenarios || return 0
  if [[ ! $regex ]]; then begin "$logs/ahead.log" build_ahead; fi
  test_stage release -LE '^unit$'
  if [[ ! $regex ]]; then finish "$begun" "$logs/ahead.log" 'fuzz, sanitize-thread: building' || true; fi
}

lint() {
  local started=$SECONDS outcome=passed
  watched "$logs/lint.log" scripts/lint.sh "$@" || outcome=failed
  if [[ $quick == no ]] && ! step "$logs/lint-self-test.log" 'lint: self-test' scripts/lint.sh --self-test; then
    outcome=failed
  fi
  record lint lint $outcome $((SECONDS - started)) "see $logs/lint.log"
}

summary() {
  awk -F '\t' '
    { if (!($1 in seen)) { seen[$1] = 1; stages[++n] = $1 } count[$1, $3]++; total[$3]++; seconds[$1] += $4 }
    $3 == "failed" { failed = failed sprintf("  %s: %s: %s\n", $1, $2, $5) }
    $3 == "skipped" { skipped = skipped sprintf("  %s: %s: %s\n", $1, $2, $5) }
    END {
      printf "\n%-16s %7s %7s %8s %8s\n", "stage", "passed", "failed", "skipped", "seconds"
      for (i = 1; i <= n; i++) {
        s = stages[i]
        printf "%-16s %7d %7d %8d %8.1f\n", s, count[s, "passed"], count[s, "failed"], count[s, "skipped"], seconds[s]
      }
      if (failed) printf "\nFailed:\n%s", failed
      if (skipped) printf "\nSkipped:\n%s", skipped
      printf "\n%d passed, %d failed, %d skipped\n", total["passed"], total["failed"], total["skipped"]
      exit total["failed"] > 0 || total["passed"] == 0
    }
  ' "$results"
}

while (($# > 0)); do
  case $1 in
    --quick) quick=yes ;;
    -R) regex=${2:-} && shift ;;
    -h | --help) usage && exit 0 ;;
    *) echo "test: unknown argument '$1'; see scripts/test.sh --help" >&2 && exit 2 ;;
  esac
  shift || { echo "test: -R takes a regular expression" >&2 && exit 2; }
done
if [[ $quick == no ]]; then need_root 'the tests load BPF programs, start daemons and log in through a private sshd'; fi

trap 'stop_step; exit 130' INT
trap 'stop_step; exit 143' TERM
mkdir -p "$logs"
: >"$results"

scripts/setup.sh --for test
if [[ $quick == yes ]]; then
  stage dev build_unit_tests -L unit
else
  release_stage
  # More at a time than there are processors: some only wait, and the fuzzers end by the clock.
  stage fuzz build_fuzzers_and_unit_tests -L 'unit|fuzz' -j 6
  stage sanitize-thread build_threaded_unit_tests -L threads -j 2
fi
if [[ ! $regex ]]; then
  if [[ $quick == yes ]]; then lint --fast; else lint; fi
fi
summary
