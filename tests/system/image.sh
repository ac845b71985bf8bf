#!/usr/bin/env bash
# Makes the disk of the system test: Debian 12 as debootstrap installs it from this machine's own mirror, with its stock
# kernel and initrd, systemd, sshd, PostgreSQL and a policy for SELinux. It is kept, and never written to again: each run writes
# beside it.
#
#   CACHE/system/disk       ext4; /dev/vda of the machine
#   CACHE/system/vmlinuz, CACHE/system/initrd
#   CACHE/system/recipe     checksum of this script: another one makes the disk anew
#   CACHE/system/unavailable  instead of these: why it could not be made, in one line
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/../vm/common.sh"

usage() {
  cat <<'HELP'
usage: tests/system/image.sh [--refresh]

Makes the disk where the cache has none, which takes two minutes and 2 GB. The cache is $IPTRACKD_VM_CACHE, by default
/var/cache/iptrackd-vm.

  --refresh   make it anew
  -h, --help  this text

Exit codes: 0 it is there, 1 it cannot be made (the reason is printed), 2 usage.
HELP
}

# What a server has, and what tells of logins: pam_systemd, cron and at.
readonly packages=(systemd systemd-sysv dbus libpam-systemd udev kmod openssh-server openssh-client postgresql cron at
  iproute2 procps sudo linux-image-cloud-amd64)
# In force where the machine is booted with security=selinux.
readonly selinux=(selinux-policy-default policycoreutils selinux-utils)
# What iptrackd's package depends on, as it is installed without a network.
readonly libraries=(libpq5 libyaml-cpp0.7 libspdlog1.10 libfmt9 libre2-9 liburing2 libxxhash0 libsystemd0 libbpf1 libelf1
  libcap-ng0 libseccomp2 adduser)
readonly directory=$vm_cache/system

give_up() {
  mkdir -p "$directory"
  printf '%s\n' "$1" >"$directory/unavailable"
  die "$1"
}

recipe() {
  cat "$vm_here/../system/image.sh" "$vm_here"/../system/inside/{begin,system-test.service} | sha256sum | cut -d' ' -f1
}

is_cached() {
  [[ -s $directory/disk && -s $directory/vmlinuz && -s $directory/initrd && $(cat "$directory/recipe" 2>/dev/null) == "$(recipe)" ]]
}

bootstrap() {
  local mirror
  mirror=$(vm_mirror) || true
  [[ $mirror ]] || give_up "this machine's apt has no Debian mirror"
  local include
  include=$(printf '%s,' "${packages[@]}" "${selinux[@]}" "${libraries[@]}")
  debootstrap --variant=minbase --keyring="$vm_keyring" --include="${include%,}" bookworm "$work/tree" "$mirror" \
    >"$work/log" 2>&1 || give_up "debootstrap: $(tail -n 1 "$work/log")"
}

# As little as makes the machine known to itself; what is tested configures the rest.
configure() {
  local tree=$work/tree
  echo system-test >"$tree/etc/hostname"
  printf '127.0.0.1 localhost system-test\n::1 localhost\n' >"$tree/etc/hosts"
  printf '/dev/vda / ext4 defaults 0 1\n' >"$tree/etc/fstab"
  : >"$tree/etc/machine-id"
  install -D -m 755 "$vm_here/../system/inside/begin" "$tree/usr/local/sbin/system-test-begin"
  install -D -m 644 "$vm_here/../system/inside/system-test.service" "$tree/etc/systemd/system/system-test.service"
  chroot "$tree" systemctl enable -q system-test.service
  # Nothing waits for them, and they take seconds where the processor is emulated.
  chroot "$tree" systemctl mask -q apt-daily.timer apt-daily-upgrade.timer man-db.timer e2scrub_all.timer fstrim.timer \
    systemd-timesyncd.service getty@tty1.service serial-getty@ttyS0.service e2scrub_reap.service 2>/dev/null
}

# Each file gets its label here: in the machine it would take minutes, and a boot of its own.
label() {
  local tree=$work/tree contexts=/etc/selinux/default/contexts/files/file_contexts
  printf 'SELINUX=enforcing\nSELINUXTYPE=default\n' >"$tree/etc/selinux/config"
  # It reaches files through /proc/self/fd.
  # shellcheck disable=SC2016 # for the inner shell
  unshare -m --propagation private sh -c 'mount -t proc proc "$1/proc" && exec chroot "$1" setfiles -F -e /proc "$2" /' sh \
    "$tree" "$contexts" >"$work/log" 2>&1 || give_up "setfiles: $(tail -n 1 "$work/log")"
}

make_disk() {
  cp "$work"/tree/boot/vmlinuz-* "$work/vmlinuz"
  cp "$work"/tree/boot/initrd.img-* "$work/initrd"
  rm -rf "$work"/tree/var/cache/apt/* "$work"/tree/usr/share/{doc,locale,man}/*
  mke2fs -q -t ext4 -d "$work/tree" "$work/disk" 3G >"$work/log" 2>&1 || give_up "mke2fs: $(tail -n 1 "$work/log")"
  rm -rf "$work/tree"
}

make() {
  work=$vm_cache/.making-system
  rm -rf "$work"
  mkdir -p "$work"
  trap 'rm -rf "$work"' EXIT
  echo 'image.sh: installing Debian 12 for the system test (two minutes)' >&2
  bootstrap
  configure
  label
  make_disk
  recipe >"$work/recipe"
  mkdir -p "$directory"
  mv "$work"/{disk,vmlinuz,initrd,recipe} "$directory"
  rm -f "$directory/unavailable"
}

refresh=no
case ${1:-} in
  '') ;;
  --refresh) refresh=yes ;;
  -h | --help) usage && exit 0 ;;
  *) die "unknown argument '$1'; see tests/system/image.sh --help" 2 ;;
esac
mkdir -p "$vm_cache"
exec {lock}>"$vm_cache/system.lock"
flock "$lock"
if [[ $refresh == no ]] && is_cached; then exit 0; fi
((EUID == 0)) || give_up 'debootstrap needs root'
for tool in debootstrap mke2fs; do
  command -v "$tool" >/dev/null || give_up "there is no $tool; scripts/setup.sh installs it"
done
make
