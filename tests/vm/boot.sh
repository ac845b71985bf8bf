#!/usr/bin/env bash
# The boot entry of a virtual machine test: runs the scenarios of one configuration and leaves what case.sh reads.
#
# The clock in the machine counts instructions: however busy the host is, no case runs out of time, and none waits.
# Emulating one machine so keeps one processor busy, and most hosts have two. Both mechanisms of a kernel are therefore
# booted at the same time by whichever entry comes first; the other one takes its results, if the same ctest asks.
#
#   BUILD/vm/NAME/report.xml   doctest's report, where one came back
#   BUILD/vm/NAME/cases.tsv    outcome, name and text of each case (report.py), and of `stop`, the daemon's end
#   BUILD/vm/NAME/output       what vm.sh printed
#   BUILD/vm/NAME/console      what the kernel printed
#   BUILD/vm/NAME/waiting      the ctest that the results were made for, until its entry has taken them
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/boot.sh BUILD NAME FILE...

NAME is KERNEL.MECHANISM or KERNEL.cgroup1.MECHANISM, MECHANISM fentry or tracepoint; FILE... are the scenarios by
source file, as connect for tests/scenarios/connect_test.cpp. Exit codes: 0 a report came back, whatever stands in it,
1 none did, 2 usage, 77 this kernel cannot be fetched here.
HELP
}

readonly mechanisms=(fentry tracepoint)

# Of the ctest that started this script; empty where something else did.
ctest_id() {
  if [[ $(cat "/proc/$PPID/comm" 2>/dev/null) == ctest ]]; then
    printf '%s %s\n' "$PPID" "$(cut -d' ' -f22 "/proc/$PPID/stat")"
  fi
}

run_machine() { # MECHANISM
  local place=$build/vm/$group.$1 options=() status=0
  rm -rf "$place"
  mkdir -p "$place"
  if [[ $group == *.cgroup1 ]]; then options+=(--cgroup1); fi
  "$vm_here/vm.sh" run --kernel "$kernel" "${options[@]}" --icount --build "$build" --timeout "$seconds_to_run" \
    --append syscall.x32=y --add "$vm_here/scenarios-inside.sh" --out "$place" --console "$place/console" \
    -- "sh /add/scenarios-inside.sh $((seconds_to_run - 90)) $1 ${files[*]}" >"$place/output" 2>&1 || status=$?
  echo "$status" >"$place/status"
}

# Why there is nothing to boot; nothing where there is. The names of the tests are fixed, and a suite may move on: a
# result must not stand under the name of a kernel that did not run.
why_not() {
  local release
  if ! "$vm_here/kernels.sh" "$kernel" >&2; then
    vm_why_not "$kernel"
    return
  fi
  release=$(cat "$(vm_directory "$kernel")/release")
  if [[ $release != "$kernel".* ]]; then
    printf 'the suite %s has kernel %s now, and tests/vm/kernels.txt calls it %s\n' "$(vm_suite "$kernel")" "$release" "$kernel"
  fi
}

skip_both() { # REASON
  local each
  for each in "${mechanisms[@]}"; do
    rm -rf "$build/vm/$group.$each"
    mkdir -p "$build/vm/$group.$each"
    echo 77 >"$build/vm/$group.$each/status"
    echo "$1" >"$build/vm/$group.$each/output"
  done
}

machines=()
run_both() {
  local each reason
  reason=$(why_not)
  if [[ ! $reason ]]; then
    for each in "${mechanisms[@]}"; do
      run_machine "$each" &
      machines+=($!)
    done
    wait "${machines[@]}"
    machines=()
  else
    skip_both "$reason"
  fi
  for each in "${mechanisms[@]}"; do
    if [[ $each != "$mechanism" ]]; then ctest_id >"$build/vm/$group.$each/waiting"; fi
  done
}

# A background process of a script ignores SIGINT, so that whoever ends this script is passed on as SIGTERM.
# shellcheck disable=SC2317 # called by a trap
stop_machines() {
  if ((${#machines[@]} > 0)); then
    pkill -TERM -P "$(printf '%s,' "${machines[@]}" | sed 's/,$//')" 2>/dev/null || true
    wait "${machines[@]}" 2>/dev/null || true
  fi
}

have_results() {
  [[ -s $place/waiting && $(<"$place/waiting") == "$(ctest_id)" ]]
}

case ${1:-} in -h | --help) usage && exit 0 ;; esac
(($# >= 3)) || die 'it takes a build tree, a name and files; see tests/vm/boot.sh --help' 2
build=$(realpath -- "$1") name=$2
files=("${@:3}")
mechanism=${name##*.} group=${name%.*}
kernel=${group%.cgroup1}
place=$build/vm/$name
# By what there is to do; under ctest's own limit, which would end this script before it can say what happened.
seconds_to_run=$((200 * ${#files[@]} + 200))
vm_suite "$kernel" >/dev/null || exit 2
case " ${mechanisms[*]} " in *" $mechanism "*) ;; *) die "no mechanism '$mechanism'" 2 ;; esac

trap stop_machines EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
mkdir -p "$build/vm"
exec {lock}>"$build/vm/$group.lock"
flock "$lock"
if have_results; then
  rm "$place/waiting"
else
  run_both
fi
cat "$place/output"
status=$(<"$place/status")
if ((status == 77)); then exit 77; fi
"$vm_here/report.py" "$place" || die "no report of any case came back from kernel $kernel ($status)"
