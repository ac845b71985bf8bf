#!/usr/bin/env bash
# Runs a case of the system test: boots the disk of image.sh, installs nothing beforehand, and passes on what the case prints
# as it comes. The machine may reboot; what it writes is gone when it ends.
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../vm/common.sh"

usage() {
  cat <<'HELP'
usage: tests/system/machine.sh [OPTION...] CASE [FILE...]

Boots Debian 12 with systemd, sshd and PostgreSQL (tests/system/image.sh makes it where it is missing), and runs CASE there as
root by sh, in /test, beside inside/*.sh and the FILEs; see tests/system/README.md. Nothing reaches a network.

  --timeout S     it is ended after S seconds, with exit code 124 (default 600)
  --append WORDS  more words for the kernel's command line
  --console FILE  where the kernel's and systemd's messages go to
  -h, --help      this text

Exit codes: CASE's; 77 there can be no machine here; 124 timeout; 125 it ended without a result; 2 usage.
HELP
}

seconds=600 append='' console=''
while (($# > 0)); do
  case $1 in
    --timeout | --append | --console)
      (($# > 1)) || die "$1 takes a value" 2
      case $1 in --timeout) seconds=$2 ;; --append) append=$2 ;; --console) console=$2 ;; esac
      shift 2
      ;;
    -h | --help) usage && exit 0 ;;
    -*) die "unknown argument '$1'; see tests/system/machine.sh --help" 2 ;;
    *) break ;;
  esac
done
(($# > 0)) || die 'which case?' 2
for file; do [[ -r $file ]] || die "$file: it cannot be read" 2; done
command -v qemu-system-x86_64 >/dev/null || die 'there is no qemu-system-x86_64; scripts/setup.sh installs it' 125

work=$(mktemp -d)
machine='' reader=''
# shellcheck disable=SC2317 # called by a trap
clean_up() {
  if [[ $machine ]]; then { kill "$machine" && wait "$machine"; } 2>/dev/null || true; fi
  if [[ $reader ]]; then kill "$reader" 2>/dev/null || true; fi
  if [[ $console && -e $work/console ]]; then cp "$work/console" "$console"; fi
  rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

if ! "$vm_here/../system/image.sh" >&2; then
  cat "$vm_cache/system/unavailable"
  exit 77
fi
mkdir "$work/tree"
cp "$1" "$work/tree/main"
shift
cp "$vm_here"/../system/inside/*.sh "$@" "$work/tree"
tar -C "$work/tree" -cf "$work/archive" .

mkfifo "$work/output"
tee "$work/said" <"$work/output" &
reader=$!
# What the emulated processor lacks: see tests/vm/vm.sh. Its clock counts instructions, 1 ns each: however busy the host is, what a
# login waits for is the same, and a pause takes no time.
setpriv --pdeathsig TERM timeout -k 5 "$seconds" qemu-system-x86_64 -accel tcg -cpu 'max,-cx16,-erms,-fsrm' -m 2048 -smp 1 -icount shift=0,sleep=off \
  -nodefaults -no-user-config -display none \
  -chardev "file,id=console,path=$work/console" -serial chardev:console \
  -chardev "file,id=output,path=$work/output" -serial chardev:output \
  -drive "file=$vm_cache/system/disk,if=virtio,format=raw,snapshot=on" -drive "file=$work/archive,if=virtio,format=raw,snapshot=on" \
  -kernel "$vm_cache/system/vmlinuz" -initrd "$vm_cache/system/initrd" \
  -append "console=ttyS0 root=/dev/vda rw quiet panic=-1 nolapic_timer no_timer_check systemd.journald.forward_to_console=1 ${append}" \
  </dev/null >"$work/qemu.log" 2>&1 &
machine=$!
status=0
wait "$machine" || status=$?
machine=''
: <>"$work/output"
wait "$reader" || true
reader=''
case $status in
  0) ;;
  124 | 137) die "the machine did not end within $seconds s" 124 ;;
  *) die "qemu ended with $status: $(tail -n 1 "$work/qemu.log")" 125 ;;
esac
result=$(sed -n 's/^system-test: exit \([0-9]*\).*/\1/p' "$work/said" | tail -n 1)
[[ $result ]] || die 'the machine ended without a result' 125
exit "$result"
