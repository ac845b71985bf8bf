#!/usr/bin/env bash
# Fetches Debian's stock cloud kernels for the virtual machine tests, without installing them. What a suite's
# meta-package depends on is taken, from this machine's own mirror; apt checks its signatures against the machine's
# Debian keyring. Only the image and its types are kept; the tests need no module.
#
#   CACHE/SUITE/vmlinuz      boots in qemu
#   CACHE/SUITE/btf          the kernel's types, as in its /sys/kernel/btf/vmlinux
#   CACHE/SUITE/release      what `uname -r` says there
#   CACHE/SUITE/package      name and version of the package it came in
#   CACHE/SUITE/unavailable  instead of these: why it could not be fetched, in one line
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

readonly meta_package=linux-image-cloud-amd64

usage() {
  cat <<'HELP'
usage: tests/vm/kernels.sh [--list | --refresh] [KERNEL...]

Fetches the kernels that are not in the cache yet (default: all of tests/vm/kernels.txt). KERNEL is a name or a Debian
suite, as 5.10 or bullseye. What is in the cache needs no network and no root. The cache is $IPTRACKD_VM_CACHE, by
default /var/cache/iptrackd-vm.

  --list      print the kernels, their suites and what the cache has of them; fetch nothing
  --refresh   fetch them even though the cache has them: the suite may have a newer one
  -h, --help  this text

Exit codes: 0 all are there, 1 at least one is not (the reason is printed, and the others are there), 2 usage.
HELP
}

is_cached() {
  local file
  for file in vmlinuz btf release package; do
    if [[ ! -s $vm_cache/$1/$file ]]; then return 1; fi
  done
}

say() {
  printf 'kernels.sh: %s: %s\n' "$suite" "$*"
}

# For the functions below: ends the subshell of this suite, with the words that `unavailable` will hold.
give_up() {
  printf '%s\n' "$*" >"$work/reason"
  exit 1
}

# An apt that knows this one suite and nothing of what is installed or pinned here.
configure_apt() {
  local site
  site=$(vm_mirror) || true
  [[ $site ]] || give_up "this machine's apt has no Debian mirror"
  [[ -s $vm_keyring ]] || give_up "no $vm_keyring to check signatures with; the package debian-archive-keyring has it"
  mkdir -p "$work"/{lists,cache/archives}/partial "$work/packages"
  : >"$work/status"
  printf 'deb [arch=amd64 target=Packages signed-by=%s] %s %s main\n' "$vm_keyring" "$site" "$suite" >"$work/sources.list"
  cat >"$work/apt.conf" <<CONF
Dir::Etc::SourceList "$work/sources.list";
Dir::Etc::SourceParts "/dev/null";
Dir::Etc::Preferences "/dev/null";
Dir::Etc::PreferencesParts "/dev/null";
Dir::State::Lists "$work/lists";
Dir::State::Status "$work/status";
Dir::Cache "$work/cache";
APT::Architecture "amd64";
APT::Architectures "amd64";
APT::Update::Error-Mode "any";
APT::Update::Post-Invoke-Success "";
Acquire::Retries "2";
Acquire::http::Timeout "30";
CONF
  # apt downloads as this user when it is root.
  if ((EUID == 0)) && id _apt >/dev/null 2>&1; then chown -R _apt "$work"; fi
}

# apt's own words on what failed, in one line: its first error is the cause, what follows are consequences.
complaint() {
  local line
  line=$(grep '^E: ' "$work/apt.log" | head -n 1 || true)
  printf '%s' "${line:-$(tail -n 1 "$work/apt.log")}"
}

apt() {
  APT_CONFIG=$work/apt.conf timeout -k 5 300 "$@" </dev/null
}

# The package of $1's dependencies whose name begins with $2 and a digit; nothing where there is none.
dependency() {
  apt apt-cache show --no-all-versions "$1" 2>/dev/null |
    sed -n "s/^Depends:.*[ ]\($2-[0-9][^ ,]*\).*/\1/p" | head -n 1
}

# Newer suites have split the image from the package that installs it.
find_package() {
  local image binary
  image=$(dependency "$meta_package" linux-image) || true
  [[ $image ]] || give_up "$suite has no $meta_package, or it depends on no kernel"
  binary=$(dependency "$image" linux-binary) || true
  printf '%s' "${binary:-$image}"
}

download() {
  local package
  say 'updating the list of packages' >&2
  apt apt-get -q update >"$work/apt.log" 2>&1 || give_up "apt-get update: $(complaint)"
  package=$(find_package) || exit
  say "downloading $package" >&2
  (cd "$work/packages" && apt apt-get -q download "$package") >"$work/apt.log" 2>&1 ||
    give_up "apt-get download $package: $(complaint)"
}

# What the boot loader would hand over to: the header of the image says where the compressed kernel lies, four
# bytes with its size included (Documentation/x86/boot.rst in the kernel's sources).
payload() {
  local image=$1 sectors offset length
  sectors=$(od -An -tu1 -j $((0x1f1)) -N 1 "$image")
  read -r offset length < <(od -An -tu4 -j $((0x248)) -N 8 "$image")
  tail -c +$(((sectors + 1) * 512 + offset + 1)) "$image" | head -c $((length - 4))
}

decompressor() {
  case $(head -c 4 "$1" | od -An -tx1 | tr -d ' ') in
    fd377a58) echo 'xz -dc --single-stream' ;;
    28b52ffd) echo 'zstd -dcq' ;;
    02214c18) echo 'lz4 -dcq' ;;
    1f8b*) echo 'gzip -dcq' ;;
    *) give_up 'its image is compressed in a way that is not known here' ;;
  esac
}

extract_btf() {
  local unpack
  payload "$1" >"$work/payload"
  unpack=$(decompressor "$work/payload") || exit
  $unpack <"$work/payload" >"$work/vmlinux" || give_up "${unpack%% *} cannot unpack its image"
  # objcopy always writes a copy too.
  objcopy --dump-section .BTF="$work/btf" "$work/vmlinux" "$work/rest" 2>"$work/objcopy.log" || true
  [[ -s $work/btf ]] || give_up "its image has no BTF: $(tail -n 1 "$work/objcopy.log")"
}

unpack() {
  local deb image release
  deb=$(find "$work/packages" -name '*.deb')
  dpkg-deb -x "$deb" "$work/tree" || give_up "dpkg-deb cannot unpack ${deb##*/}"
  image=$(find "$work/tree" -path '*/boot/vmlinuz-*' -o -path '*/lib/modules/*/vmlinuz')
  [[ -f $image ]] || give_up "no kernel image in ${deb##*/}"
  release=${image%/vmlinuz}
  release=${release##*/}
  printf '%s\n' "${release#vmlinuz-}" >"$work/release"
  # shellcheck disable=SC2016 # for dpkg-deb
  dpkg-deb -W --showformat '${Package} ${Version}\n' "$deb" >"$work/package"
  extract_btf "$image"
  mv "$image" "$work/vmlinuz"
}

keep() {
  mkdir -p "$directory"
  chmod 644 "$work"/{vmlinuz,btf,release,package}
  if ((EUID == 0)); then chown 0:0 "$work"/{vmlinuz,btf,release,package}; fi
  mv "$work"/{vmlinuz,btf,release,package} "$directory"
  rm -f "$directory/unavailable"
}

# In a subshell, under the lock of this suite.
fetch_locked() {
  if [[ $refresh == no ]] && is_cached "$suite"; then return 0; fi
  work=$vm_cache/.fetching-$suite
  rm -rf "$work"
  mkdir -p "$work"
  trap 'rm -rf "$work"' EXIT
  if (configure_apt && download && unpack && keep); then
    say "$(<"$directory/package")"
    return 0
  fi
  mkdir -p "$directory"
  if [[ -s $work/reason ]]; then cp "$work/reason" "$directory/unavailable"; else echo 'unpacking failed' >"$directory/unavailable"; fi
  say "not available: $(<"$directory/unavailable")" >&2
  return 1
}

fetch() (
  suite=$1
  directory=$vm_cache/$suite
  if [[ $refresh == no ]] && is_cached "$suite"; then return 0; fi
  mkdir -p "$vm_cache" 2>/dev/null || true
  [[ -w $vm_cache ]] ||
    die "$vm_cache cannot be written; run this as root or set IPTRACKD_VM_CACHE"
  exec {lock}>"$vm_cache/$suite.lock"
  flock -n "$lock" || { say 'waiting for another run that fetches it' >&2 && flock -w 900 "$lock"; } ||
    die "$vm_cache/$suite.lock is held"
  fetch_locked
)

list() {
  local suite state
  for suite in "$@"; do
    state='not fetched'
    if is_cached "$suite"; then
      state=$(<"$vm_cache/$suite/package")
    elif [[ -s $vm_cache/$suite/unavailable ]]; then
      state="not available: $(<"$vm_cache/$suite/unavailable")"
    fi
    printf '%-5s %-9s %s\n' "$(vm_name "$suite")" "$suite" "$state"
  done
}

action=fetch
refresh=no
wanted=()
for argument in "$@"; do
  case $argument in
    --list) action=list ;;
    --refresh) refresh=yes ;;
    -h | --help) usage && exit 0 ;;
    -*) die "unknown argument '$argument'; see tests/vm/kernels.sh --help" 2 ;;
    *) wanted+=("$(vm_suite "$argument")") || exit 2 ;;
  esac
done
if ((${#wanted[@]} == 0)); then
  for name in $(vm_kernels); do wanted+=("$(vm_suite "$name")"); done
fi
if [[ $action == list ]]; then
  list "${wanted[@]}"
  exit 0
fi
status=0
for suite in "${wanted[@]}"; do fetch "$suite" || status=1; done
exit "$status"
