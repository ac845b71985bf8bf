# shellcheck shell=sh
# shellcheck disable=SC2317 # most of it is called by check()
# The life of an installation: a package, a login, a reload, restarts, an upgrade, a kill, a reboot, a purge. Beside it lie
# the package, and generator and noop of the build tree; a file `logins` may say how many logins there are (100).
# shellcheck source=tests/system/inside/case.sh
. /test/case.sh
# shellcheck source=tests/system/inside/installation.sh
. /test/installation.sh
callback=/usr/libexec/iptrackd-pam-callback
logins=$(cat /test/logins 2>/dev/null || echo 100)

nothing_lost() { [ "$(sql "SELECT count(*) FROM iptrackd.loss")" -eq 0 ] || { sql "SELECT * FROM iptrackd.loss" && false; }; }
# What the kernel side counted is what stands in the database, waits, or was lost.
balanced() {
  iptrackd status | grep -E '^(exec|connect|accept|bind|close) ' >/tmp/books
  [ "$(wc -l </tmp/books)" -eq 5 ] && ! awk '$2 != $3 + $4 + $5' /tmp/books | grep .
}

# Each call of the callback is timed, so that what a login waited for it is known.
time_callbacks() {
  cat >/usr/local/sbin/timed-callback <<TIMED && chmod 755 /usr/local/sbin/timed-callback
#!/bin/bash
began=\${EPOCHREALTIME/./}
$callback
status=\$?
echo "\$((\${EPOCHREALTIME/./} - began)) \$PAM_TYPE" >>/var/log/timed-callback
exit \$status
TIMED
}

# The slowest of those since line $1, in microseconds.
slowest() { tail -n "+$(($1 + 1))" /var/log/timed-callback | sort -n | tail -n 1 | cut -d' ' -f1; }
lines() { wc -l </var/log/timed-callback; }

begin() {
  begin_installation
  check 'callbacks are timed' time_callbacks
  check 'logins are prepared' prepare_logins /usr/local/sbin/timed-callback
  start_units
  check 'a login over ssh' login /usr/bin/id
  check 'its session is stored' until_true 20 has_sessions 1
  check 'its program is stored' until_true 20 is_count 1 "kind = 'exec' AND exe = '/usr/bin/id' AND uid = $(id -u alice)"
}

# A day's partitions, retention and its book, by the unit that does it every day.
maintained() {
  check 'retention is set' sql "INSERT INTO iptrackd.retention VALUES ('bind', '30 days')"
  check 'the unit of maintenance' systemctl start iptrackd-maintain.service
  check 'what it did is told' sh -c 'journalctl -b --no-pager -u iptrackd-maintain.service | grep "retention: 0 rows"'
}

privileges() {
  pid=$(main_pid)
  for task in "/proc/$pid/task"/*; do
    held=$(grep -cE '^(CapEff:.*0000000000000000|NoNewPrivs:.*1|Seccomp:.*2)$' "$task/status")
    [ "$held" -eq 3 ] || { cat "$task/status" && return 1; }
  done
}
nobody_may_not_open() {
  for path in /sys/fs/bpf/iptrackd /run/iptrackd/pam.fifo /run/iptrackd/control.sock /var/lib/iptrackd/spool; do
    [ -e "$path" ] || { echo "$path is not there" && return 1; }
    if su -s /bin/sh nobody -c "test -r $path -o -w $path"; then echo "$path" && return 1; fi
  done
}
exposure() { systemd-analyze security --no-pager iptrackd.service | tail -n 1; }
is_exposed_little() { [ "$(exposure | sed 's/.*: \([0-9]*\)\.\([0-9]*\).*/\1\2/')" -le 30 ] || { exposure && false; }; }

guard() {
  check 'no thread has a capability' privileges
  check 'nobody can open pins, FIFO, socket, spool' nobody_may_not_open
  say "systemd-analyze: $(exposure)"
  check 'systemd-analyze security: 3.0 or better' is_exposed_little
}

# Two at a time, as many as there are processors.
half_of_them() {
  for _ in $(seq $((logins / 2))); do login true || return 1; done
}
all_logins() {
  half_of_them &
  others=$!
  half_of_them && wait "$others"
}
disturb() {
  while [ ! -e /tmp/logins-done ]; do
    sleep 5
    systemctl reload iptrackd.service
    sleep 5
    systemctl restart iptrackd.service
  done
}

disturbed_logins() {
  sessions_before=$(sessions)
  login true && login true
  usual=$(slowest 2)
  from=$(lines)
  disturb >/tmp/disturb.log 2>&1 &
  check "$logins logins during reloads and restarts" all_logins
  touch /tmp/logins-done
  wait
  say "reloads and restarts: $(journalctl -b -u iptrackd.service --no-pager | grep -cE 'iptrackd: info: (reloaded|stopped)')"
  check 'the unit is ready after them' until_true 120 is_ready
  check 'all are stored' until_true 60 has_sessions $((sessions_before + logins + 2))
  check 'and not one more' is_count $((sessions_before + logins + 2)) "kind = 'open_session' AND pam_user = 'alice'"
  say "the slowest callback: $(slowest "$from") us, before: $usual us"
  check 'none was delayed by more than 100 ms' [ "$(slowest "$from")" -le $((usual + 100000)) ]
}

# Programs in a session of their own; what was done is printed at the end.
load() { cd /test && setsid ./generator events=20000 >/tmp/generated; }
generated_programs() { sed -n 's/.*"exec": *\([0-9]*\).*/\1/p' /tmp/generated; }
newer_package() {
  dpkg-deb -R "$package" /tmp/newer && sed -i 's/^\(Version: .*\)$/\1+newer/' /tmp/newer/DEBIAN/control &&
    dpkg-deb -b /tmp/newer /tmp/newer.deb >/dev/null
}

upgrade() {
  check 'a newer package' newer_package
  before=$(main_pid)
  load &
  loading=$!
  sleep 2
  check 'an upgrade under load' dpkg -i /tmp/newer.deb
  wait $loading
  check 'the unit is ready after it' until_true 120 is_ready
  check 'another daemon is at work' [ "$(main_pid)" != "$before" ]
  programs=$(generated_programs)
  check 'every program of the load is stored' until_true 60 is_count "$programs" "kind = 'exec' AND exe = '/test/noop'"
  check 'nothing was lost' nothing_lost
}

killed() {
  before=$(main_pid)
  kill -KILL "$before"
  check 'systemd starts it again' until_true 120 is_ready
  check 'with another process' [ "$(main_pid)" != "$before" ]
  login /usr/bin/env >/dev/null
  check 'what comes then is stored' until_true 20 is_count 1 "kind = 'exec' AND exe = '/usr/bin/env' AND uid = $(id -u alice)"
  check 'a crash is told of' [ "$(sql "SELECT count(*) FROM iptrackd.host_event WHERE kind = 'crash'")" -ge 1 ]
  check 'the books balance' balanced
  check 'nothing was lost by it' nothing_lost
}

after_reboot() {
  check 'it is at work after a reboot' until_true 120 is_ready
  login /usr/bin/id >/dev/null
  check 'a login after it is stored' until_true 20 is_count 1 \
    "kind = 'open_session' AND boot_id = '$(cat /proc/sys/kernel/random/boot_id)'"
  check 'the stop before it is told of' [ "$(sql "SELECT count(*) FROM iptrackd.host_event WHERE kind = 'stop'")" -ge 1 ]
  check 'the books balance after it' balanced
}

leftovers() {
  find / -xdev \( -path /proc -o -path /test -o -path /var/lib/postgresql -o -path /var/log -o -path /var/cache \) -prune -o \
    -name '*iptrackd*' -print
  find /run /sys/fs/bpf -name '*iptrackd*'
}
purge() {
  sed -i '/timed-callback/d' /etc/pam.d/sshd
  check 'the package is purged' dpkg -P iptrackd
  found=$(leftovers)
  check 'nothing is left' [ -z "$found" ]
  say "$found"
  check 'logins go on' login true
}

if [ ! -e /test/rebooted ]; then
  begin
  guard
  maintained
  disturbed_logins
  upgrade
  killed
  touch /test/rebooted
  echo "$failures" >/test/failures
  exit 100
fi
failures=$(cat /test/failures)
after_reboot
purge
finish
