#!/usr/bin/env bash
# Each example profile is a drop-in that `iptrackd check --offline` accepts, as a user who is nobody, where the default
# configuration is; and it finds what is wrong with one. usage: profiles.sh IPTRACKD TEMPLATE PROFILE...
set -euo pipefail
. "$(dirname "$0")/common.sh"

((EUID == 0)) || skip 'needs root, for an /etc of its own'
program=$1 template=$2
shift 2
# In the mount namespace below, /etc is the test's alone.
if [[ ! ${PROFILES_ALONE:-} ]]; then
  exec env PROFILES_ALONE=yes unshare -m "$0" "$program" "$template" "$@"
fi
scratch
chmod 755 "$work"
install -m 755 "$program" "$work/iptrackd"
mkdir "$work/etc"
mount --bind "$work/etc" /etc
install -m 644 "$template" /etc/iptrackd.yml
mkdir /etc/iptrackd.d

# check STATUS WORDS: what nobody is told, and the exit code.
check() {
  local status=0
  setpriv --reuid 65534 --regid 65534 --clear-groups "$work/iptrackd" check --offline >"$work/out" 2>&1 || status=$?
  ((status == $1)) || die "exit code $status instead of $1: $(cat "$work/out")"
  grep -qF -- "$2" "$work/out" || die "'$2' is missing: $(cat "$work/out")"
}

for profile in "$@"; do
  rm -f /etc/iptrackd.d/*
  install -m 644 "$profile" /etc/iptrackd.d/10-profile.yml
  check 0 'ok    configuration'
  if grep -E 'kernel|database|pam' "$work/out"; then die 'it speaks of what it did not look at'; fi
  printf '\nbogus: 1\n' >>/etc/iptrackd.d/10-profile.yml
  check 2 "/etc/iptrackd.d/10-profile.yml:$(wc -l </etc/iptrackd.d/10-profile.yml):1: unknown key 'bogus'"
done

# What a file says beyond its keys.
echo 'whitelist: {network: ["/usr/bin/curl|p<99999>"]}' >/etc/iptrackd.d/10-profile.yml
check 2 '/etc/iptrackd.d/10-profile.yml:1:'
echo 'redact: [{exe: curl, pattern: "(open"}]' >/etc/iptrackd.d/10-profile.yml
check 2 '/etc/iptrackd.d/10-profile.yml:1:'
# A program that this host does not have may be on the one that the file is for.
echo 'whitelist: {network: ["/no/such/program"]}' >/etc/iptrackd.d/10-profile.yml
check 0 '1 network rules'
if grep -q '^note' "$work/out"; then die "it looked at this host: $(cat "$work/out")"; fi
# Both directories, in one order: the later name has the last word.
echo 'log: {level: loud}' >/etc/iptrackd.d/50.yml
check 2 '/etc/iptrackd.d/50.yml:1:14'
mkdir /etc/iptrackd.yml.d
echo 'log: {level: louder}' >/etc/iptrackd.yml.d/60.yml
check 2 '/etc/iptrackd.yml.d/60.yml:1:14'
echo "$# profiles are good"
