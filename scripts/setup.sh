#!/usr/bin/env bash
# Installs the Debian packages that iptrackd needs to be built, shown and tested. Where nothing is missing it says
# so and touches nothing: neither root nor a network is needed then.
set -euo pipefail

# The one list: who needs a package (build, demo and test each include what stands before), its name, and why.
packages() {
  cat <<'LIST'
build build-essential      compiler, linker and C library headers
build cmake                build system
build ninja-build          what the CMake presets generate for
build pkgconf              finds libbpf, libsystemd and RE2
build clang                compiles the BPF programs
build bpftool              generates vmlinux.h and the BPF skeletons
build libbpf-dev           loads the BPF programs
build libelf-dev           used by libbpf
build zlib1g-dev           used by libbpf
build musl-tools           links the PAM callback statically
build libpq-dev            PostgreSQL client
build libyaml-cpp-dev      configuration
build libcli11-dev         command line
build libspdlog-dev        log of the daemon
build libexpected-dev      Result<T>
build libre2-dev           patterns of `redact`, in linear time
build liburing-dev         deeds of the self-test; static, of the tests too
build libcap-ng-dev        what the daemon keeps of its privileges
build libseccomp-dev       the system calls that it keeps
build libxxhash-dev        checksums of the spool's records
build libsystemd-dev       readiness and reload notification
build nlohmann-json3-dev   JSON output
build doctest-dev          unit tests, configured by default
demo  postgresql           a private server below the build directory
demo  openssh-server       a private sshd, for a PAM session
demo  openssh-client       logs in to it
demo  procps               ps and pgrep, to end the sessions of the private sshd and the load of bench/
test  libclang-rt-dev      libFuzzer and the sanitizers of clang, for the fuzzers
test  clang-format         formatting
test  clang-tidy           static analysis
test  shellcheck           static analysis of the scripts
test  strace               counts the daemon's syncs, and holds them up
test  python3              results of ctest, cache of clang-tidy
test  qemu-system-x86      boots other kernels
test  busybox-static       all of their system but the tests
test  cpio                 packs it
test  zstd                 unpacks newer kernels for their types
test  lz4                  the same for older ones
test  pgbouncer            stands between the daemon and PostgreSQL
test  podman               runs a container, whose events must carry its id
test  crun                 what podman starts it with
test  conmon               what podman watches it with
test  lintian              looks for mistakes in the .deb
test  rpm                  packs an RPM, and installs it into a scratch root
test  man-db               shows the man pages, and complains of their form
test  mandoc               the same, more strictly
test  zsh                  completes the command line
test  selinux-policy-dev   compiles the SELinux module
test  debian-archive-keyring  checks the kernels that are fetched
test  debootstrap          installs the machine of the system test
test  e2fsprogs            makes its disk
LIST
}

usage() {
  cat <<'HELP'
usage: scripts/setup.sh [--for build|demo|test] [--list]

Installs the Debian packages that are missing, with apt-get and this machine's own sources.

  --for WHAT   build: only what compiles it; demo: also what scripts/demo.sh needs;
               test (default): also what scripts/test.sh and scripts/lint.sh need
  --list       print the packages, why each is needed, and whether it is installed
  -h, --help   this text

Exit codes: 0 everything is installed, 1 it is not, 2 usage.
HELP
}

die() {
  printf 'setup: %s\n' "$1" >&2
  exit "${2:-1}"
}

# Names of the packages of purpose $1, one a line.
packages_for() {
  local -A rank=([build]=1 [demo]=2 [test]=3)
  local group name
  while read -r group name _; do
    if ((rank[$group] <= rank[$1])); then printf '%s\n' "$name"; fi
  done < <(packages)
}

# Those of the names given that are not installed. One call of dpkg-query, as it is by far the slowest part.
missing_of() {
  local status name
  local -A installed=()
  while read -r status name; do
    if [[ $status == installed ]]; then installed[$name]=1; fi
  done < <(dpkg-query -W -f '${db:Status-Status} ${Package}\n' "$@" 2>/dev/null || true)
  for name in "$@"; do
    if [[ ! ${installed[$name]:-} ]]; then printf '%s\n' "$name"; fi
  done
}

list() {
  local group name why missing state
  missing=" $(missing_of "$@" | tr '\n' ' ')"
  while read -r group name why; do
    case " $* " in *" $name "*) ;; *) continue ;; esac
    case $missing in *" $name "*) state=missing ;; *) state=installed ;; esac
    printf '%-6s %-9s %-20s %s\n' "$group" "$state" "$name" "$why"
  done < <(packages)
}

# What a newly installed server must not do: start now, start at the next boot, or create a database cluster. The
# files that prevent it are there only while apt-get runs.
policy_file=/usr/sbin/policy-rc.d
cluster_file=/etc/postgresql-common/createcluster.d/iptrackd-setup.conf
undo=()
restore() {
  local file
  for file in "${undo[@]}"; do rm -f "$file"; done
  rmdir --ignore-fail-on-non-empty "${cluster_file%/*}" 2>/dev/null || true
}

hold_back_services() {
  # A policy that is already there is the machine owner's and stays in force.
  if [[ ! -e $policy_file ]]; then
    undo+=("$policy_file")
    cat >"$policy_file" <<'POLICY'
#!/bin/sh
# Of scripts/setup.sh, removed when it ends: what is being installed is not to be started.
case $1 in ssh | ssh.* | sshd | postgresql*) exit 101 ;; esac
POLICY
    chmod 755 "$policy_file"
  fi
  undo+=("$cluster_file")
  mkdir -p "${cluster_file%/*}"
  echo 'create_main_cluster = false' >"$cluster_file"
}

# The package enables its service in postinst; a machine that had no ssh server does not get one by testing iptrackd.
disable_ssh_service() {
  if command -v systemctl >/dev/null; then
    systemctl disable ssh.service ssh.socket >/dev/null 2>&1 || true
    echo "setup: ssh.service is left disabled; 'systemctl enable --now ssh' would start it"
  fi
}

# apt-get's own lock timeout covers dpkg, not the lists, so that another update in progress is waited for here.
update_lists() {
  local attempt
  for attempt in 1 2 3 4 5; do
    if apt-get -q -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 update; then return 0; fi
    if ((attempt < 5)); then
      echo "setup: apt-get update failed, trying again in 5 s ($attempt of 5)" >&2
      sleep 5
    fi
  done
  echo "setup: apt-get update failed; going on with the package lists that are here" >&2
}

install() {
  export DEBIAN_FRONTEND=noninteractive
  update_lists
  apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 \
    -o Dpkg::Options::=--force-confold install "$@" </dev/null
}

purpose='test'
action='install'
while (($# > 0)); do
  case $1 in
    --for) purpose=${2:-} && shift ;;
    --for=*) purpose=${1#*=} ;;
    --list) action=list ;;
    -h | --help) usage && exit 0 ;;
    *) die "unknown argument '$1'; see scripts/setup.sh --help" 2 ;;
  esac
  shift || die "--for takes one of build, demo, test" 2
done
case $purpose in build | demo | test) ;; *) die "--for takes one of build, demo, test, not '$purpose'" 2 ;; esac
for tool in dpkg-query apt-get; do
  command -v "$tool" >/dev/null || die "this machine has no $tool; scripts/setup.sh knows Debian 12 only"
done

mapfile -t wanted < <(packages_for "$purpose")
if [[ $action == list ]]; then
  list "${wanted[@]}"
  exit 0
fi
mapfile -t missing < <(missing_of "${wanted[@]}")
if ((${#missing[@]} == 0)); then
  echo "setup: nothing is missing (${#wanted[@]} packages for $purpose are installed)"
  exit 0
fi

echo "setup: ${#missing[@]} of the ${#wanted[@]} packages for $purpose are missing:"
list "${missing[@]}" | sed 's/^[a-z]* *missing */  /'
((EUID == 0)) || die "installing packages needs root: sudo scripts/setup.sh --for $purpose"

trap restore EXIT
trap 'exit 130' INT TERM
hold_back_services
install "${missing[@]}" || die "apt-get could not install the packages; its messages stand above"
mapfile -t still < <(missing_of "${missing[@]}")
((${#still[@]} == 0)) || die "still missing after the installation: ${still[*]}"
case " ${missing[*]} " in *" openssh-server "*) disable_ssh_service ;; esac
echo "setup: installed ${#missing[@]} packages"
