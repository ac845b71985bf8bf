#!/usr/bin/env bash
# Does the lint find anything at all? Plants one violation of each kind in a small copy of the tree, one after the other, and expects a
# complaint at FILE:LINE that says the expected words. A clean copy must pass: a lint that always fails finds nothing either.
set -euo pipefail

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
mkdir -p "$copy"/{build/dev,include/iptrackd,scripts,src/{core,sink,loader,config,app,pam},tests/core}
cp .clang-format .clang-tidy "$copy"
cp -r scripts/lint scripts/lint.sh "$copy/scripts"
cd "$copy"

# Only the checks' own mechanism is wanted here: one file to compile, and neither CMake nor the rest of the tree.
cat >src/core/clean.cpp <<'CODE'
namespace iptrackd {

int answer() {
  return 42;
}

}  // namespace iptrackd
CODE
printf '[{"directory": "%s", "command": "c++ -std=c++20 -c src/core/clean.cpp", "file": "%s/src/core/clean.cpp"}]\n' \
  "$copy" "$copy" >build/dev/compile_commands.json

failures=0
report() {
  printf 'self-test: %-6s %s\n' "$1" "$2"
  if [[ $1 != ok ]]; then failures=$((failures + 1)); fi
}

# expect CHECK FILE:LINE WORDS, with FILE's text on stdin; the file is taken away again.
expect() {
  local check=$1 place=$2 words=$3 file=${2%:*} kept='' output
  if [[ -e $file ]]; then kept=$(mktemp) && cp "$file" "$kept"; fi
  mkdir -p "$(dirname "$file")"
  cat >"$file"
  if output=$(run "$check" 2>&1); then
    report FAILED "$check does not see: $words"
  elif ! grep -F "$place:" <<<"$output" | grep -qF "$words"; then
    report FAILED "$check fails without '$place: … $words': $output"
  else
    report ok "$check: $words"
  fi
  if [[ $kept ]]; then mv "$kept" "$file"; else rm -f "$file"; fi
}

run() {
  case $1 in
    tidy) scripts/lint/tidy.py build/dev build/lint-cache ;;
    *) "scripts/lint/$1.sh" ;;
  esac
}

for check in format includes text shell tidy; do
  if output=$(run $check 2>&1); then report ok "$check: a clean tree passes"; else report FAILED "$check: $output"; fi
done

expect format src/core/ugly.cpp:1 'not as .clang-format' <<<'int   ugly ;'
expect includes src/sink/a.cpp:2 'siblings meet in app' < <(printf '\n#include "loader/decoder.h"\n')
expect includes src/core/a.h:1 'core must not include' <<<'#include "sink/sink.h"'
expect includes src/pam/a.cpp:1 'siblings meet in app' <<<'#include <app/run.h>'
expect includes include/iptrackd/a.h:1 'it includes only iptrackd/' <<<'#include "core/event.h"'
expect includes src/app/a.cpp:1 'belongs to src/loader' <<<'#include <bpf/libbpf.h>'
expect includes src/app/b.cpp:1 'belongs to src/loader' <<<'#include "iptrackd.skel.h"'
expect includes src/loader/a.cpp:1 'belongs to src/sink' <<<'#include <libpq-fe.h>'
expect includes src/sink/b.h:1 'belongs to src/config' <<<'# include <yaml-cpp/yaml.h>'
expect includes src/sink/c.cpp:1 'belongs to src/app' <<<'#include <spdlog/spdlog.h>'
expect includes src/sink/d.cpp:1 'relative to src/' <<<'#include "../core/event.h"'
expect includes src/sink/e.cpp:1 'write it as room/file.h' <<<'#include "sink.h"'
expect text src/core/mark.cpp:2 'an unfinished mark' < <(printf 'int a;\n// TO%s: later\n' DO)
expect text src/core/space.cpp:1 'white space' <<<'int a; '
expect text src/core/newline.cpp:1 'no newline' < <(printf 'int a;')
expect text src/core/long.cpp:401 'more than one room' < <(yes '//' | head -n 401)
# shellcheck disable=SC2016 # the text of a faulty script
expect shell scripts/bad.sh:2 'SC2086' < <(printf '#!/bin/sh\nrm $1\n')
expect tidy src/core/clean.cpp:1 'cppcoreguidelines-owning-memory' <<<'int *leak() { return new int{1}; }'
expect tidy src/core/clean.cpp:1 'readability-identifier-naming' <<<'int NotSnake() { return 1; }'
expect tidy src/core/clean.cpp:1 'readability-function-size' < <(
  printf 'int count(int n) {\n'
  yes '  n += n;' | head -n 41
  printf '  return n;\n}\n'
)
# A header that changes must spoil the cached verdict on the files that include it.
printf '#include "header.h"\nint two() { return one(); }\n' >src/core/clean.cpp
printf 'inline int one() { return 1; }\n' >src/core/header.h
if run tidy >/dev/null 2>&1; then report ok 'tidy: a clean header passes'; else report FAILED 'tidy: a clean header'; fi
expect tidy src/core/header.h:1 'modernize-use-nullptr' <<<'inline int one() { return static_cast<int *>(0) ? 1 : 2; }'

if ((failures > 0)); then
  echo "self-test: $failures of the planted violations were not found"
  exit 1
fi
echo "self-test: ok"
