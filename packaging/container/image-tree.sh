#!/usr/bin/env bash
# Lays out all that the container's image holds, in the new directory TREE: the programs of a build tree, the shared
# libraries that they need, and a shell for the entry point. For Containerfile, and for the test of what it makes.
#
#   image-tree.sh BUILD TREE
#
# Needs busybox-static, and ca-certificates where a database is to be known by a public certificate.
set -euo pipefail

if [[ $# -ne 2 || ! -x $1/iptrackd || -e $2 ]]; then
  printf 'usage: image-tree.sh BUILD TREE; BUILD holds iptrackd, TREE is not there yet\n' >&2
  exit 2
fi
here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
build=$1
tree=$2

# add_program FILE MODE PATH: without debug information.
add_program() {
  mkdir -p "$tree${3%/*}"
  strip --strip-debug -o "$tree$3" "$1"
  chmod "$2" "$tree$3"
}

# Where the program's loader looks for them, the loader itself included.
add_libraries() {
  local library
  while read -r library; do
    if [[ ! -e $tree$library ]]; then add_program "$library" 755 "$library"; fi
  done < <(ldd "$1" | grep -oE '/[^ ]+ \(0x' | cut -d' ' -f1)
}

umask 022
mkdir -p "$tree"/{etc/iptrackd.d,proc,sys/fs/bpf,dev,tmp,run/iptrackd,var/lib/iptrackd}
chmod 1777 "$tree/tmp"
chmod 700 "$tree"/{run,var/lib}/iptrackd
add_program "$build/iptrackd" 755 /usr/sbin/iptrackd
add_libraries "$build/iptrackd"
add_program "$build/iptrackd-pam-callback" 755 /usr/libexec/iptrackd-pam-callback
add_program /bin/busybox 755 /bin/busybox
for name in sh cp mv chmod; do ln -s busybox "$tree/bin/$name"; done
install -m 755 "$here/entrypoint" "$tree/usr/libexec/iptrackd-container"
install -m 600 "$here/iptrackd.yml" "$tree/etc/iptrackd.yml"
# For getpwuid and name look-ups of libpq.
printf 'root:x:0:0:root:/root:/bin/sh\n' >"$tree/etc/passwd"
printf 'passwd: files\nhosts: files dns\n' >"$tree/etc/nsswitch.conf"
if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
  install -D -m 644 /etc/ssl/certs/ca-certificates.crt "$tree/etc/ssl/certs/ca-certificates.crt"
fi
