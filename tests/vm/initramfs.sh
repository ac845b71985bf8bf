#!/usr/bin/env bash
# Builds the file system that all virtual machines boot with: busybox, the programs of a build tree with their shared
# libraries, and tests/vm/init as process 1. Debug information is left out, and it is not compressed: an emulated machine
# unpacks all of it at every start. Nothing in it names this machine's folders.
#
#   /bin            busybox, under all of its names
#   /iptrackd       iptrackd, iptrackd-with-faults, oracle, small32, naive, generator, noop, run-scenarios
#   /out            what is left here comes back; a link into /result
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/initramfs.sh BUILD

Writes BUILD/vm/initramfs from the programs of the build tree BUILD, unless it is newer than all it is made of.
Prints nothing but errors. Exit codes: 0 it is there, 1 it is not, 2 usage.
HELP
}

# Where the programs of $build stand in the machine, one a line: source, destination.
programs() {
  printf '%s %s\n' "$build/iptrackd" iptrackd/iptrackd
  local name
  for name in oracle small32 naive generator noop run-scenarios iptrackd-with-faults; do printf '%s %s\n' "$build/tests/$name" "iptrackd/$name"; done
}

is_current() {
  local source
  [[ -s $image ]] || return 1
  for source in "$vm_here"/{init,initramfs.sh,common.sh} "$(command -v busybox)"; do
    if [[ $source -nt $image ]]; then return 1; fi
  done
  while read -r source _; do
    if [[ $source -nt $image ]]; then return 1; fi
  done < <(programs)
}

skeleton() {
  local applet
  chmod 755 "$tree"
  mkdir -p "$tree"/{bin,dev,etc,proc,sys,tmp,run,iptrackd,result/out,root,var/lib}
  ln -s result/out "$tree/out"
  ln -s /proc/mounts "$tree/etc/mtab"
  printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n' >"$tree/etc/passwd"
  printf 'root:x:0:\ntty:x:5:\nnogroup:x:65534:\n' >"$tree/etc/group"
  printf '127.0.0.1 localhost\n::1 localhost\n' >"$tree/etc/hosts"
  cp "$vm_here/init" "$tree/init"
  cp "$(command -v busybox)" "$tree/bin/busybox"
  while read -r applet; do ln -s busybox "$tree/bin/$applet"; done < <(busybox --list | grep -vx busybox)
}

make_image() {
  local source destination
  for tool in busybox cpio strip; do
    command -v "$tool" >/dev/null || die "there is no $tool; scripts/setup.sh installs it"
  done
  skeleton
  while read -r source destination; do
    [[ -x $source ]] || die "$source is not built"
    vm_add_program "$source" "$tree/$destination" "$tree"
  done < <(programs)
  vm_pack "$tree" >"$image.new"
  mv "$image.new" "$image"
}

case ${1:-} in
  -h | --help) usage && exit 0 ;;
  '' | -*) die 'it takes a build tree; see tests/vm/initramfs.sh --help' 2 ;;
esac
[[ -d $1 ]] || die "no build tree $1" 2
build=$(realpath -- "$1")
image=$build/vm/initramfs
mkdir -p "$build/vm"
exec {lock}>"$build/vm/initramfs.lock"
flock -w 120 "$lock" || die "$build/vm/initramfs.lock is held"
if is_current; then exit 0; fi
tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
make_image
