# shellcheck shell=sh
# shellcheck disable=SC2317 # most of it is called by check()
# What the unit forbids the daemon is nothing that it needs, by either mechanism. What is forbidden shows in what it says: a
# rule without its program, a clock of which nothing is known, a warning.
# shellcheck source=tests/system/inside/case.sh
. /test/case.sh
# shellcheck source=tests/system/inside/installation.sh
. /test/installation.sh

is_clock_known() { [ "$(sql "SELECT clock IN ('synchronised', 'unsynchronised') FROM iptrackd.hosts")" = t ]; }
mechanism_of() { iptrackd probes | awk -v hook="$1" '$1 == "attached" && $3 ~ hook { print $2 }'; } # PART OF A HOOK'S NAME
works() {
  check 'the state of the clock is known' until_true 30 is_clock_known
  apply_rule
  check 'it has warned of nothing' warns_of_nothing
}

begin_installation
check 'logins are prepared' prepare_logins /usr/libexec/iptrackd-pam-callback
start_units
check 'it works by fentry' [ "$(mechanism_of inet_dgram_connect)" = fexit ]
works
echo 'probes: {mechanism: tracepoint}' >/etc/iptrackd.d/mechanism.yml
check 'a restart' systemctl restart iptrackd.service
check 'it works by tracepoints' [ "$(mechanism_of sys_enter_connect)" = tracepoint ]
works
finish
