#!/usr/bin/env bash
# Holds what the BPF programs rely on (fields, and signatures of the functions that they hang on) against the types of
# several kernels, and shows what differs between these. `iptrackd check --btf` does the work, kernel by kernel.
set -euo pipefail
root=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")/..")
readonly root
# shellcheck source=tests/vm/common.sh
. "$root/tests/vm/common.sh"

usage() {
  cat <<'HELP'
usage: scripts/check-btf.sh [--build DIR] [--brief] [KERNEL | FILE]...

Needs no root, and none of the kernels to run. Without arguments: the running kernel, and those of the virtual machine
tests, which tests/vm/kernels.sh fetches where they are not in its cache.

  KERNEL       one of these: `running`, or a name or suite that tests/vm/kernels.sh --list has, as 5.10
  FILE         any kernel's: a copy of its /sys/kernel/btf/vmlinux, or a vmlinux with a section .BTF
  --build DIR  the build tree with the iptrackd that is asked (default: build/release)
  --brief      only the verdicts, not what differs between the kernels
  -h, --help   this text

In the tables `absent` is what a kernel has not and the programs provide for; the numbers are offsets in bytes (of a bit
field, bytes.bits).
Exit codes: 0 the programs find all that they need in each kernel, 1 they do not, 2 usage, 77 one of the kernels could
not be looked at, and the others are fine.
HELP
}

build=$root/build/release
brief=no
wanted=()
parse() {
  while (($# > 0)); do
    case $1 in
      --build)
        (($# > 1)) || die '--build takes a directory' 2
        build=$2
        shift
        ;;
      --brief) brief=yes ;;
      -h | --help) usage && exit 0 ;;
      -*) die "unknown argument '$1'; see scripts/check-btf.sh --help" 2 ;;
      *) wanted+=("$1") ;;
    esac
    shift
  done
  if ((${#wanted[@]} == 0)); then mapfile -t wanted < <(vm_kernels && echo running); fi
}

# Of the kernel $1: its name for the tables, what it is, and its file, of which there is none where it cannot be had.
names=() releases=() files=()
add() {
  names+=("$1") releases+=("$2") files+=("$3")
}

add_running() {
  if [[ -r /sys/kernel/btf/vmlinux ]]; then
    add running "$(uname -r)" /sys/kernel/btf/vmlinux
  else
    add running 'it has no BTF (CONFIG_DEBUG_INFO_BTF)' ''
  fi
}

add_from_cache() {
  local name directory
  name=$(vm_name "$(vm_suite "$1")")
  directory=$(vm_directory "$name")
  if "$root/tests/vm/kernels.sh" "$name" >&2; then
    add "$name" "$(<"$directory/release")" "$directory/btf"
  else
    add "$name" "$(cat "$directory/unavailable" 2>/dev/null || echo 'it cannot be fetched')" ''
  fi
}

# Files are called as their folder is where their own name says nothing.
add_file() {
  local name=${1##*/}
  case $name in
    btf | vmlinux) name=$(basename -- "$(dirname -- "$(realpath -- "$1")")") ;;
  esac
  add "${name:0:9}" "$1" "$1"
}

find_kernels() {
  local kernel
  for kernel in "${wanted[@]}"; do
    if [[ $kernel == running ]]; then
      add_running
    elif [[ -e $kernel ]]; then
      add_file "$kernel"
    elif [[ $kernel == */* ]]; then
      die "there is no file $kernel" 2
    else
      vm_suite "$kernel" >/dev/null || exit 2
      add_from_cache "$kernel"
    fi
  done
}

# A finding is: verdict (4 characters), its subject (13), text, with two spaces between them.
print_verdict() { # NUMBER
  awk -v name="${names[$1]}" -v release="${releases[$1]}" '
    $2 == "field" { ++fields; moved += / was /; absent += /^note/ }
    $2 == "duty" { ++duties; works += !/^FAIL/ }
    /^FAIL/ { failures = failures "           " $0 "\n"; ++bad }
    END {
      printf "%-9s  %-7s  %6d  %5d  %6d  ", name, bad ? "FAIL" : "ok", fields, moved, absent
      printf "%2d of %d  %s\n%s", works, duties, release, failures
    }' "$work/$1"
}

# Its findings stay in $work/NUMBER.
failed=0 unseen=()
look_at() { # NUMBER
  local status=0
  : >"$work/$1"
  if [[ ! ${files[$1]} ]]; then
    unseen+=("${names[$1]} (${releases[$1]})")
    printf '%-9s  %-7s  %s\n' "${names[$1]}" unseen "${releases[$1]}"
    return
  fi
  "$build/iptrackd" check --btf "${files[$1]}" --verbose >"$work/$1" 2>"$work/errors" || status=$?
  case $status in
    0) ;;
    1) failed=1 ;;
    2) die "$(<"$work/errors")" 2 ;;
    *) die "iptrackd check --btf ${files[$1]} ended with $status: $(<"$work/errors")" ;;
  esac
  print_verdict "$1"
}

# What is not the same in all of them: of a field where it is, of a hook whether it fits, of a duty how it is done.
print_differences() {
  cd "$work"
  awk -v names="${names[*]// /_}" '
    function how(text) { return text ~ /only;/ ? substr(text, 1, index(text, " ") - 1) : "either" }
    function tell(subject, text) {
      if (subject == "hook") return text ~ /^fits|^has no types/ ? "fits" : "no"
      if (subject == "duty") return /^FAIL/ ? "FAIL" : text ~ /^BTF/ ? "works" : how(text)
      if (/^note/) return "absent"
      if (/^FAIL/) return text ~ /the programs take it|several/ ? "changed" : "missing"
      sub(/^(offset|value) /, "", text)
      sub(/[,;].*/, "", text)
      return text
    }
    function keep(subject, text) {
      row = subject " " substr(text, 1, index(text, ": ") - 1)
      cell[row, column] = tell(subject, substr(text, index(text, ": ") + 2))
      if (!(row in first)) { order[++rows] = row; first[row] = cell[row, column] }
      if (first[row] != cell[row, column]) differs[row] = 1
    }
    function print_row(title, row, i) {
      printf "%-62s", title
      for (i = 1; i <= count; ++i) if (i in used) printf " %9s", row == "" ? name[i] : cell[row, i]
      printf "\n"
    }
    BEGIN { count = split(names, name, " ") }
    FNR == 1 { column = FILENAME + 1; used[column] = 1 }
    $2 == "field" || $2 == "hook" || $2 == "duty" { keep($2, substr($0, 22)) }
    END {
      print_row("What differs between these kernels", "")
      for (i = 1; i <= rows; ++i) if (order[i] in differs) print_row(order[i], order[i])
    }' "${!names[@]}"
}

parse "$@"
[[ -x $build/iptrackd ]] ||
  die "there is no $build/iptrackd; build it (cmake --build --preset release --target iptrackd) or say --build DIR"
find_kernels
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

printf '%-9s  %-7s  %6s  %5s  %6s  %7s  %s\n' KERNEL VERDICT FIELDS MOVED ABSENT DUTIES RELEASE
for number in "${!names[@]}"; do look_at "$number"; done
if [[ $brief == no ]] && ((${#names[@]} > ${#unseen[@]} + 1)); then
  echo
  (print_differences)
fi
if ((failed)); then exit 1; fi
if ((${#unseen[@]} > 0)); then
  printf 'not all kernels could be looked at: %s\n' "${unseen[*]}"
  exit 77
fi
