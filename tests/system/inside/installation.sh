# shellcheck shell=sh
# shellcheck disable=SC2317,SC2034 # most of it is called by check(); the database is case.sh's
# For the cases that need iptrackd at work, to be sourced after case.sh: its package installed, the schema owned by a role of
# its own and the daemon with a role that only writes, as docs/database.md has it, and a user who logs in.
database=iptrackd

count() { sql "SELECT count(*) FROM iptrackd.activity WHERE $1"; }
is_count() { [ "$(count "$2")" -eq "$1" ]; } # NUMBER CONDITION
sessions() { count "kind = 'open_session' AND pam_user = 'alice'"; }
has_sessions() { [ "$(sessions)" -ge "$1" ]; }
is_ready() { [ "$(systemctl show -p ActiveState -p SubState --value iptrackd.service | tr '\n' ' ')" = 'active running ' ]; }
main_pid() { systemctl show -p MainPID --value iptrackd.service; }
# The curve that is quickest where the processor is emulated: libcrypto has it in assembly language.
login() { # COMMAND...
  ssh -i /root/.ssh/id_ecdsa -o BatchMode=yes -o StrictHostKeyChecking=no -o LogLevel=ERROR \
    -o KexAlgorithms=ecdh-sha2-nistp256 -o HostKeyAlgorithms=ecdsa-sha2-nistp256 alice@127.0.0.1 "$@"
}

package=$(ls /test/iptrackd*.deb)
install_package() {
  DEBIAN_FRONTEND=noninteractive dpkg -i "$package" >/tmp/dpkg.log 2>&1 || { cat /tmp/dpkg.log && false; }
}

prepare_database() {
  su postgres -c 'createuser iptrackd-owner' && su postgres -c 'createdb -O iptrackd-owner iptrackd' &&
    su postgres -c 'createuser root' && printf 'database: {host: /var/run/postgresql, dbname: iptrackd}\n' >/etc/iptrackd.d/site.yml
}
apply_schema() {
  runuser -u iptrackd-owner -- iptrackd schema apply --config /etc/iptrackd-maintain.yml --grant-writer root --host "$(uname -n)"
}

begin_installation() {
  mkdir -p /root/.ssh
  check 'the package is installed' install_package
  check 'it says what is next' grep -F 'iptrackd schema apply' /tmp/dpkg.log
  check 'the database is prepared' prepare_database
  check 'the schema is applied' apply_schema
}

prepare_logins() { # CALLBACK
  useradd -m -s /bin/sh alice && ssh-keygen -q -t ecdsa -b 256 -N '' -f /root/.ssh/id_ecdsa &&
    install -d -o alice -m 700 /home/alice/.ssh &&
    install -o alice -m 600 /root/.ssh/id_ecdsa.pub /home/alice/.ssh/authorized_keys &&
    sed -i "0,/^[^#]/s|^[^#]|auth optional pam_exec.so quiet $1\\n&|; /pam_loginuid/a session optional pam_exec.so quiet $1" /etc/pam.d/sshd &&
    loginctl enable-linger alice
}

# A rule is in force only if the daemon finds its program, whatever a sandbox forbids it.
apply_rule() {
  ended=$(count "kind = 'close_session' AND pam_user = 'alice'")
  check 'a rule of a program' iptrackd whitelist add --exec /usr/bin/printenv
  check 'a login that runs it' login /usr/bin/printenv
  check 'its end is stored' until_true 20 is_count $((ended + 1)) "kind = 'close_session' AND pam_user = 'alice'"
  check 'the program is not' is_count 0 "kind = 'exec' AND exe = '/usr/bin/printenv'"
}
warnings() { journalctl -b --no-pager -o cat -u iptrackd.service | grep -E 'iptrackd: (warning|error)'; }
warns_of_nothing() { [ -z "$(warnings)" ] || { warnings && false; }; }

start_units() {
  systemctl enable -q iptrackd-pam.socket iptrackd.service
  systemctl restart iptrackd-pam.socket iptrackd.service || fail 'the unit starts'
  check 'the unit is ready' until_true 120 is_ready
}
