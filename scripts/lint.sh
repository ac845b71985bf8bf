#!/usr/bin/env bash
# Everything about the text of this tree that a machine can judge; one complaint a line, FILE:LINE: what is wrong.
# Each check is a file of scripts/lint/.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'HELP'
usage: scripts/lint.sh [--fast] [--self-test]

  --fast       leaves out clang-tidy
  --self-test  plants one violation of each kind in a copy of the tree and checks that each is found
  -h, --help   this text

clang-tidy needs a build directory, build/lint; it is configured where it is not yet. Files that passed are looked at again only when they, or headers
that they include, have changed (build/lint-cache).
Exit codes: 0 nothing to complain about, 1 complaints, 2 usage.
HELP
}

need() {
  if ! command -v "$1" >/dev/null; then
    echo "lint: $1 is missing; scripts/setup.sh --for test installs it" >&2
    exit 1
  fi
}

# clang-tidy reads what the compiler reads: the generated headers must exist, the rest need not be built. Each room is one
# unity file: its headers are parsed once, in a third of the time.
tidy() {
  local log=build/lint-configure.log
  mkdir -p build
  if ! { [[ -f build/lint/build.ninja ]] || cmake --preset dev -B build/lint -DCMAKE_UNITY_BUILD=ON; } >"$log" 2>&1 ||
    ! cmake --build build/lint --target iptrackd_skeleton >>"$log" 2>&1; then
    tail -n 20 "$log"
    echo "CMakePresets.json:1: the dev preset cannot be configured; the end of $log stands above"
    return 1
  fi
  scripts/lint/tidy.py build/lint build/lint-cache
}

run_check() {
  local name=$1 started=$SECONDS
  shift
  if "$@"; then
    printf 'lint: %-9s ok (%d s)\n' "$name" $((SECONDS - started))
  else
    printf 'lint: %-9s FAILED (%d s)\n' "$name" $((SECONDS - started))
    failed+=("$name")
  fi
}

fast=no
for argument in "$@"; do
  case $argument in
    --fast) fast=yes ;;
    --self-test) exec scripts/lint/self-test.sh ;;
    -h | --help) usage && exit 0 ;;
    *) echo "lint: unknown argument '$argument'; see scripts/lint.sh --help" >&2 && exit 2 ;;
  esac
done

need clang-format
need shellcheck
failed=()
run_check format scripts/lint/format.sh
run_check includes scripts/lint/includes.sh
run_check text scripts/lint/text.sh
run_check shell scripts/lint/shell.sh
if [[ $fast == no ]]; then
  need clang-tidy
  need python3
  run_check tidy tidy
fi
if ((${#failed[@]} > 0)); then
  echo "lint: FAILED: ${failed[*]}"
  exit 1
fi
echo "lint: ok"
