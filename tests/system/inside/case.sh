# shellcheck shell=sh
# For the cases, to be sourced: each check is a line of output, and fail() is how a case ends early.

failures=0
say() { printf '%s\n' "$*"; }
# check WHAT COMMAND...: "ok WHAT", or "not ok WHAT" with what the command printed.
check() {
  what=$1
  shift
  if said=$("$@" 2>&1); then
    say "ok $what"
  else
    failures=$((failures + 1))
    say "not ok $what: $(printf '%s' "$said" | tail -n 20)"
  fi
}
fail() {
  say "not ok $*"
  journalctl -b --no-pager -n 60 -u 'iptrackd*'
  exit 1
}
# until_true SECONDS COMMAND...
until_true() {
  left=$1
  shift
  until "$@" >/dev/null 2>&1; do
    left=$((left - 1))
    if [ "$left" -lt 0 ]; then return 1; fi
    sleep 1
  done
}
sql() { su postgres -c "psql -XAtq -v ON_ERROR_STOP=1 -d ${database:-postgres} -c \"$1\""; }
finish() { exit $((failures > 0)); }
