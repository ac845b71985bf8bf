# shellcheck shell=sh
# daemon-inside.sh: for the scripts that run in the virtual machine and measure: a daemon to measure.

# Writes /tmp/daemon/iptrackd.yml, and starts the daemon; $daemon is its process.
start_daemon() { # MECHANISM
  rm -rf /tmp/daemon && mkdir /tmp/daemon
  cat >/tmp/daemon/iptrackd.yml <<CONFIGURATION
probes: {mechanism: $1}
pam: {fifo-file: /tmp/daemon/pam.fifo}
spool: {directory: /tmp/daemon/spool}
control: {socket: /tmp/daemon/control.sock}
database: {driver-name: jsonl, filename: /tmp/daemon/rows.jsonl}
CONFIGURATION
  : >/tmp/daemon/log
  /iptrackd/iptrackd run --config /tmp/daemon/iptrackd.yml 2>/tmp/daemon/log &
  daemon=$!
  until grep -q 'ready: iptrackd' /tmp/daemon/log; do
    if ! kill -0 $daemon 2>/dev/null || grep -q 'not ready' /tmp/daemon/log; then
      cat /tmp/daemon/log
      exit 1
    fi
    sleep 1
  done
}

stop_daemon() {
  kill -TERM "$daemon"
  wait "$daemon"
}
