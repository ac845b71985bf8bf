#!/usr/bin/env bash
# Runs a command on one of Debian's stock kernels, in a virtual machine with the programs of a build tree. It is
# emulated (tcg), so that it works wherever qemu does; tests/vm/init is its process 1.
#
# qemu's console is a file, shown where the machine ends without a result. What the command prints comes over a
# serial port of its own and is passed on as it comes; /out comes as an archive over a third.
set -euo pipefail
# shellcheck source=tests/vm/common.sh
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

usage() {
  cat <<'HELP'
usage: tests/vm/vm.sh run --kernel KERNEL [OPTION...] [--] COMMAND

Boots KERNEL (5.10, 6.1, 6.12, 7.2 or their suites; tests/vm/kernels.sh fetches it where it is not in the cache), runs
COMMAND there as root by busybox sh, prints what it prints, and ends with its exit code. In the machine:

  /iptrackd   iptrackd, oracle, generator, noop and run-scenarios of the build tree
  /add        the files that --add names
  /out        what COMMAND leaves here comes back
  /tmp        in memory, as everything is; COMMAND starts here. Only the loopback interface exists

  --kernel KERNEL  which one
  --build DIR      the build tree (default: build/release)
  --add FILE       a file or folder to take along; a program brings its shared libraries. May be given again
  --out DIR        where /out goes to; made if it is not there. Without it /out is dropped
  --disk FILE      an image that is /dev/nvme0n1 there, and keeps what is written to it; all the kernels have that driver
                   and ext4 built in
  --cgroup1        control groups of version 1 only, as Enterprise Linux 8 has them
  --icount         its clock counts instructions, 1 ns each: times repeat within 0.5 %, on one processor
  --smp N          processors (default 2)
  --memory MIB     memory (default 1024)
  --timeout S      it is ended after S seconds, with exit code 124 (default 120)
  --append WORDS   more words for the kernel's command line
  --console FILE   where the kernel's messages go to; they are shown anyway where it ends without a result
  -h, --help       this text

Exit codes: COMMAND's; 77 that kernel cannot be fetched here; 124 timeout; 125 the machine ended without a result; 2 usage.

  tests/vm/vm.sh run --kernel 5.10 -- 'uname -r; dmesg | tail -n 3 >/out/messages'
HELP
}

kernel='' build='' out='' console='' append='' disk='' cgroup=2 icount=no smp=2 memory=1024 seconds=120
add=()
parse() {
  while (($# > 0)); do
    case $1 in
      --cgroup1) cgroup=1 ;;
      --icount) icount=yes ;;
      --kernel | --build | --out | --console | --append | --disk | --smp | --memory | --timeout | --add)
        (($# > 1)) || die "$1 takes a value" 2
        case $1 in
          --kernel) kernel=$2 ;;
          --build) build=$2 ;;
          --out) out=$2 ;;
          --console) console=$2 ;;
          --append) append=$2 ;;
          --disk) disk=$2 ;;
          --smp) smp=$2 ;;
          --memory) memory=$2 ;;
          --timeout) seconds=$2 ;;
          --add) add+=("$2") ;;
        esac
        shift
        ;;
      --) shift && break ;;
      -h | --help) usage && exit 0 ;;
      -*) die "unknown argument '$1'; see tests/vm/vm.sh --help" 2 ;;
      *) break ;;
    esac
    shift
  done
  command="$*"
  [[ $kernel ]] || die 'which --kernel?' 2
  [[ $command ]] || die 'which command?' 2
  [[ ! $disk || -w $disk ]] || die "--disk $disk: it is not there, or cannot be written" 2
  local number
  for number in "$smp" "$memory" "$seconds"; do
    [[ $number =~ ^[1-9][0-9]*$ ]] || die "'$number' is not a number above 0" 2
  done
}

# Exit code 77 and the reason in the last line are what ctest counts as skipped.
find_kernel() {
  directory=$(vm_directory "$kernel") || exit
  if ! "$vm_here/kernels.sh" "$kernel" >&2; then
    vm_why_not "$kernel"
    exit 77
  fi
}

# What differs from one run to the next; the kernel lays a second archive over the first.
pack_run() {
  local file name
  mkdir -p "$work/tree"/{run,add}
  printf '%s\n' "$command" >"$work/tree/run/command"
  for file in "${add[@]}"; do
    [[ -e $file ]] || die "--add $file: it is not there" 2
    name=$(basename -- "$file")
    if [[ -d $file ]]; then
      cp -rL -- "$file" "$work/tree/add/$name"
    else
      vm_add_program "$file" "$work/tree/add/$name" "$work/tree"
    fi
  done
  "$vm_here/initramfs.sh" "$build"
  { cat "$build/vm/initramfs" && vm_pack "$work/tree"; } >"$work/initrd"
}

# What the emulated processor lacks:
#   cx16         qemu 7.2 leaves rubbish in the flags after cmpxchg16b, of which kernels die: 6.12 within two minutes of forks
#   erms, fsrm   `rep movsb` and `rep stosb` are emulated byte by byte, which doubles the time that BPF programs take to load
# With the clock of instructions the local timer of the processor is calibrated by five seconds of `pause`: another one is taken.
qemu_arguments() {
  local words='console=ttyS0 quiet panic=-1 lsm=capability,landlock,lockdown,yama,bpf'
  arguments=(-accel tcg -cpu 'max,-cx16,-erms,-fsrm' -m "$memory" -nodefaults -no-user-config -no-reboot -display none)
  if [[ $icount == yes ]]; then
    arguments+=(-smp 1 -icount 'shift=0,sleep=off')
    words+=' nolapic_timer no_timer_check'
  else
    arguments+=(-smp "$smp")
  fi
  local port
  for port in console output result; do
    arguments+=(-chardev "file,id=$port,path=$work/$port" -serial "chardev:$port")
  done
  # The image outlives a crash of the machine, not one of the host: its flushes need not reach the host's disk.
  if [[ $disk ]]; then
    arguments+=(-drive "file=${disk//,/,,},if=none,id=disk,format=raw,cache=unsafe" -device 'nvme,serial=disk,drive=disk')
  fi
  arguments+=(-kernel "$directory/vmlinuz" -initrd "$work/initrd")
  if [[ $cgroup == 1 ]]; then words+=' vm_cgroup=1'; fi
  arguments+=(-append "$words${append:+ $append}")
}

machine='' reader=''
# shellcheck disable=SC2317 # called by a trap
clean_up() {
  if [[ $machine ]]; then { kill "$machine" && wait "$machine"; } 2>/dev/null || true; fi
  if [[ $reader ]]; then kill "$reader" 2>/dev/null || true; fi
  rm -rf "$work"
}

boot() {
  printf 'vm.sh: booting %s\n' "$(<"$directory/release")" >&2
  mkfifo "$work/output"
  cat "$work/output" &
  reader=$!
  # It ends with this script even where that one is killed.
  setpriv --pdeathsig TERM timeout -k 5 "$seconds" qemu-system-x86_64 "${arguments[@]}" \
    </dev/null >"$work/qemu.log" 2>&1 &
  machine=$!
  local status=0
  wait "$machine" || status=$?
  machine=''
  # Where qemu did not start, nobody has opened the other end.
  : <>"$work/output"
  wait "$reader" || true
  reader=''
  if [[ $console ]]; then cp "$work/console" "$console"; fi
  return "$status"
}

ended_badly() { # MESSAGE STATUS
  {
    printf 'vm.sh: kernel %s: %s; the end of its console:\n' "$kernel" "$1"
    cat "$work/qemu.log" "$work/console" 2>/dev/null | tr -d '\r' | tail -n 25
  } >&2
  exit "$2"
}

# Ends with the command's status.
bring_back() {
  mkdir "$work/back"
  if ! tar -xz --no-same-owner -C "$work/back" -f "$work/result" 2>/dev/null || [[ ! -s $work/back/status ]]; then
    ended_badly 'it ended without a result' 125
  fi
  if [[ $out ]]; then
    mkdir -p "$out"
    cp -r "$work/back/out/." "$out"
  fi
  exit "$(<"$work/back/status")"
}

case ${1:-} in
  run) shift ;;
  -h | --help) usage && exit 0 ;;
  *) die "the only command is 'run'; see tests/vm/vm.sh --help" 2 ;;
esac
parse "$@"
build=$(realpath -m -- "${build:-$vm_here/../../build/release}")
for tool in qemu-system-x86_64 cpio flock setpriv timeout; do
  command -v "$tool" >/dev/null || die "there is no $tool; scripts/setup.sh installs it" 125
done
work=$(mktemp -d)
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
find_kernel
pack_run
qemu_arguments
status=0
boot || status=$?
case $status in
  0) bring_back ;;
  124 | 137) ended_badly "it did not end within $seconds s" 124 ;;
  *) ended_badly "qemu ended with $status" 125 ;;
esac
