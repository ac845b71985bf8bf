# shellcheck shell=bash
# What the scripts of this folder share, to be sourced.
#
#   die MESSAGE [STATUS]     ends the script
#   vm_kernels               the names of the kernels, one a line
#   vm_suite KERNEL          the suite of a kernel, by its name or the suite's; fails where there is none
#   vm_name SUITE            the name of a suite's kernel
#   vm_directory KERNEL      where kernels.sh keeps it
#   vm_why_not KERNEL        why kernels.sh could not fetch it, in one line
#   vm_mirror                the mirror that this machine has its Debian from

vm_here=$(realpath -- "$(dirname -- "${BASH_SOURCE[0]}")")
vm_cache=$(realpath -m -- "${IPTRACKD_VM_CACHE:-/var/cache/iptrackd-vm}")
readonly vm_here vm_cache
# shellcheck disable=SC2034 # for those that source this
readonly vm_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

die() {
  printf '%s: %s\n' "${0##*/}" "$1" >&2
  exit "${2:-1}"
}

vm_kernels() {
  sed -n 's/^\([0-9][^ ]*\) .*/\1/p' "$vm_here/kernels.txt"
}

vm_suite() {
  awk -v wanted="$1" '/^#/ { next } $1 == wanted || $2 == wanted { print $2; found = 1 } END { exit !found }' \
    "$vm_here/kernels.txt" ||
    die "no kernel '$1'; there are $(vm_kernels | paste -sd ' ') and their suites" 2
}

vm_name() {
  awk -v suite="$1" '$2 == suite { print $1 }' "$vm_here/kernels.txt"
}

vm_directory() {
  local suite
  suite=$(vm_suite "$1") || exit
  printf '%s/%s\n' "$vm_cache" "$suite"
}

vm_why_not() {
  printf 'kernel %s cannot be fetched here: %s\n' "$1" \
    "$(cat "$(vm_directory "$1")/unavailable" 2>/dev/null || echo 'tests/vm/kernels.sh says why')"
}

# The mirror that this machine has its own release from. Its updates and its security archive come from elsewhere.
vm_mirror() {
  local codename
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-}")
  # shellcheck disable=SC2016 # for apt-get
  apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(SITE)' 'Created-By: Packages' |
    awk -v release="$codename" '($1 == release || $1 == "stable") && $2 == "main" { print $3; exit }'
}

# vm_add_program FILE DESTINATION TREE: a copy without debug information, and the shared libraries it needs, at the
# places in TREE where its loader looks for them.
vm_add_program() {
  local library
  mkdir -p "$(dirname -- "$2")"
  # What is no program (a script, a table) is only copied.
  strip --strip-debug -o "$2" "$1" 2>/dev/null || cp -L "$1" "$2"
  chmod 755 "$2"
  while read -r library; do
    if [[ -e $3$library ]]; then continue; fi
    mkdir -p "$3$(dirname -- "$library")"
    strip --strip-debug -o "$3$library" "$library"
    chmod 755 "$3$library"
  done < <(ldd "$1" 2>/dev/null | grep -oE '/[^ ]+ \(0x' | cut -d' ' -f1)
}

# vm_pack TREE: as the kernel takes it, all of it root's.
vm_pack() {
  (cd "$1" && find . -print0 | LC_ALL=C sort -z | cpio --null --create --quiet --format=newc --owner=+0:+0)
}
