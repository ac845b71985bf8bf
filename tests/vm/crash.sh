#!/usr/bin/env bash
# Crashes a virtual machine under load, with nothing synced and nothing unmounted, boots it again with the same disk, and
# compares what the daemon delivers then with what the first boot said it had done.
#
#   BUILD/vm/crash.KERNEL.MECHANISM[.MODE]/load, rest        what crash-inside.sh printed before and after the crash
#                                         console.load, .rest  what the kernel printed
#                                         rows.jsonl, daemon.log
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/crash.sh [--control | --logins] BUILD KERNEL MECHANISM

MECHANISM is fentry or tracepoint. Everything older than a sync interval, and every login, must be delivered once after the
crash, and the rest be booked as lost. A line of figures is printed. Takes about 40 s.

  --control   with a sync interval of a minute and no logins: succeeds if more than 50 ms are lost, as the comparison must
              be able to tell
  --logins    with a sync interval of a minute: every login must be delivered all the same
  -h, --help  this text

Exit codes: 0 as it must be, 1 not so, or a machine did not do its part, 2 usage, 77 this kernel cannot be fetched here.
HELP
}

readonly interval_ms=50
readonly a_minute_ms=60000

mode=kept configured_ms=$interval_ms logins=yes
case ${1:-} in
  -h | --help) usage && exit 0 ;;
  --control) mode=control configured_ms=$a_minute_ms logins=no && shift ;;
  --logins) mode=logins configured_ms=$a_minute_ms && shift ;;
  -*) die "unknown argument '$1'; see tests/vm/crash.sh --help" 2 ;;
esac
(($# == 3)) || die 'it takes a build tree, a kernel and a mechanism; see tests/vm/crash.sh --help' 2
build=$(realpath -- "$1") kernel=$2 mechanism=$3
vm_suite "$kernel" >/dev/null || exit 2
case $mechanism in fentry | tracepoint) ;; *) die "no mechanism '$mechanism'" 2 ;; esac
PATH=$PATH:/usr/sbin:/sbin
command -v mke2fs >/dev/null || die 'there is no mke2fs; the package e2fsprogs has it'

place=$build/vm/crash.$kernel.$mechanism
if [[ $mode != kept ]]; then place+=.$mode; fi

boot() { # load|rest
  "$vm_here/vm.sh" run --kernel "$kernel" --build "$build" --disk "$work/disk" --timeout 150 \
    --add "$vm_here/crash-inside.sh" --add "$build/iptrackd-pam-callback" --out "$place" --console "$place/console.$1" \
    -- "sh /add/crash-inside.sh $1 $mechanism $configured_ms $logins" >"$place/$1" 2>"$place/$1.messages"
}

# A machine that crashes ends without a result, which is what vm.sh says then.
crash() {
  local status=0
  boot load || status=$?
  case $status in
    77) tail -n 1 "$place/load.messages" && exit 77 ;;
    125) grep -q 'sysrq: Resetting' "$place/console.load" 2>/dev/null && return 0 ;;
  esac
  tail -n 20 "$place/load" "$place/load.messages"
  die "kernel $kernel ended with $status instead of a crash"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
rm -rf "$place"
mkdir -p "$place"
truncate -s 128M "$work/disk"
mke2fs -q -t ext4 "$work/disk"
crash
boot rest || {
  tail -n 20 "$place/rest" "$place/rest.messages"
  die "kernel $kernel does not deliver what the disk holds"
}
printf 'kernel %s, %s, sync interval %s ms: ' "$kernel" "$mechanism" "$configured_ms"
"$vm_here/crash.py" "$mode" "$interval_ms" "$place"
