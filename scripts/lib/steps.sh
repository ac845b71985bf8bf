# shellcheck shell=bash
# Long-running steps for scripts/test.sh and scripts/demo.sh, to be sourced: each in a process group of its own, so that Ctrl-C or
# SIGTERM ends it at once and whole, its output in a log that is shown when it fails.
#
#   step LOG WORDS COMMAND...     runs quietly; prints WORDS and how long it took
#   watched LOG COMMAND...        runs with its output on the terminal and in LOG
#   begin LOG COMMAND...          begins it beside what follows, where nobody else wants the processor; sets `begun`
#   finish BEGUN LOG WORDS        waits for that; its exit code
#   stop_step                     ends whatever is running
set -m

step_group=''
declare -A step_begun=()

say() {
  printf '[%4d s] %s\n' "$SECONDS" "$*"
}

need_root() {
  if ((EUID != 0)); then
    printf '%s: this needs root: %s\n' "${0##*/}" "$1" >&2
    exit 1
  fi
}

# wait returns early when a signal with a trap arrives; the trap's exit ends the script then.
step_wait() {
  local status=0
  wait "$step_group" || status=$?
  step_group=''
  return "$status"
}

# Sleeps without a process: the demo must not fill its own picture. Signals with a trap end it.
exec {step_silence}<> <(:)
pause() {
  read -r -t "$1" -u "$step_silence" || true
}

# While the step runs: its latest line, in place on a terminal, every 15 s elsewhere.
step_progress() {
  local log=$1 words=$2 shown=$SECONDS
  while kill -0 "$step_group" 2>/dev/null; do
    pause 0.5
    if [[ -t 1 ]]; then
      printf '\r\e[K%.100s' "$(say "$words: $(tail -n 1 "$log" | tr -cd '[:print:]')")"
    elif ((SECONDS - shown >= 15)); then
      shown=$SECONDS
      say "$words: $(tail -n 1 "$log")"
    fi
  done
  if [[ -t 1 ]]; then printf '\r\e[K'; fi
}

step() {
  local log=$1 words=$2 started=$SECONDS
  shift 2
  say "$words ..."
  mkdir -p "$(dirname "$log")"
  "$@" >"$log" 2>&1 </dev/null &
  step_group=$!
  step_progress "$log" "$words"
  if step_wait; then
    say "$words: done in $((SECONDS - started)) s"
    return 0
  fi
  say "$words: FAILED after $((SECONDS - started)) s; the end of $log:"
  tail -n 25 "$log"
  return 1
}

watched() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  # A group of a pipeline is named by its first process; the status wanted is that one's too.
  (
    set -o pipefail
    "$@" 2>&1 </dev/null | tee "$log"
  ) &
  step_group=$!
  step_wait
}

# What is timed meanwhile hardly notices it: even the least niceness would be noticed.
begin() {
  local log=$1
  shift
  mkdir -p "$(dirname "$log")"
  (
    chrt --idle -p 0 "$BASHPID" || true
    "$@"
  ) >"$log" 2>&1 </dev/null &
  begun=$!
  step_begun[$begun]=yes
}

finish() {
  local log=$2 words=$3 started=$SECONDS
  unset "step_begun[$1]"
  step_group=$1
  step_progress "$log" "$words"
  say "$words: done, after $((SECONDS - started)) s of waiting"
  step_wait
}

stop_step() {
  local group
  for group in $step_group "${!step_begun[@]}"; do stop_group "$group"; done
  step_group=''
}

stop_group() {
  local group=$1
  # The shell's own remark about a job that was terminated goes the same way as the errors about one that is gone.
  {
    kill -TERM -- "-$group"
    for _ in {1..50}; do
      if ! kill -0 -- "-$group"; then break; fi
      sleep 0.1
    done
    kill -KILL -- "-$group"
    wait "$group"
  } 2>/dev/null || true
}

# ThreadSanitizer of GCC 12 gives up where the kernel spreads mappings wider than it knows; without address space
# randomisation it always works. A container may forbid setarch.
without_randomisation() {
  if setarch -R true 2>/dev/null; then setarch -R "$@"; else "$@"; fi
}

# The whole tree by a preset, or with TARGETs only these.
build_preset() {
  local preset=$1 targets=()
  shift
  if (($# > 0)); then targets=(--target "$@"); fi
  cmake --preset "$preset" && cmake --build --preset "$preset" -j "$(nproc)" "${targets[@]}"
}
