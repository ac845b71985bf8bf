#!/usr/bin/env bash
# gen-vmlinux.sh [BTF_FILE] OUTPUT: the kernel's types, as a C header for the BPF programs.
#
# OUTPUT appears whole or not at all, and keeps its time stamp when nothing changed, so that a build after a reboot
# does not compile every BPF program again.
set -euo pipefail

die() {
  printf 'gen-vmlinux: %s\n' "$1" >&2
  exit "${2:-1}"
}

case $# in
  1) btf=/sys/kernel/btf/vmlinux output=$1 ;;
  2) btf=$1 output=$2 ;;
  *) die "usage: gen-vmlinux.sh [BTF_FILE] OUTPUT" 2 ;;
esac

# /usr/sbin is not in the PATH of an ordinary user on Debian.
PATH=$PATH:/usr/sbin:/sbin
bpftool=${BPFTOOL:-$(command -v bpftool || true)}
[[ $bpftool ]] || die "bpftool is missing; scripts/setup.sh installs it"
[[ -r $btf ]] || die "no readable kernel type information (BTF) at $btf. The kernel that builds need not be the one \
that runs: copy /sys/kernel/btf/vmlinux, or a vmlinux with a .BTF section, from any machine of this architecture with \
CONFIG_DEBUG_INFO_BTF=y, and configure with -DIPTRACKD_BTF=FILE"

mkdir -p "$(dirname "$output")"
partial=$(mktemp "$output.XXXXXX")
trap 'rm -f "$partial"' EXIT

"$bpftool" btf dump file "$btf" format c >"$partial" ||
  die "bpftool cannot read $btf as BTF; configure with -DIPTRACKD_BTF=FILE to use another file"
# bpftool reports success on a file that holds no types.
grep -q '^struct task_struct {' "$partial" ||
  die "$btf holds BTF, but not that of a kernel (no task_struct); configure with -DIPTRACKD_BTF=FILE to use another file"

if cmp -s "$partial" "$output"; then exit 0; fi
chmod 644 "$partial"
mv -f "$partial" "$output"
