# shellcheck shell=sh
# shellcheck disable=SC2317 # most of it is called by check()
# SELinux enforcing, with Debian's policy and iptrackd's module: it works as it does without, and nothing is denied that it
# asks for. The machine is to be booted with security=selinux; beside this lie the package and the module.
# shellcheck source=tests/system/inside/case.sh
. /test/case.sh
# shellcheck source=tests/system/inside/installation.sh
. /test/installation.sh
callback=/usr/libexec/iptrackd-pam-callback

is_enforcing() { [ "$(getenforce)" = Enforcing ]; }
labels() { # as the head of iptrackd.te has it
  restorecon -Ri /usr/sbin/iptrackd "$callback" /etc/iptrackd* /lib/systemd/system/iptrackd* /run/iptrackd /var/lib/iptrackd
}
domain_of() { tr -d '\0' <"/proc/$1/attr/current"; }
has_domain() { case $(domain_of "$1") in *:"$2":*) ;; *) domain_of "$1" && false ;; esac; } # PID DOMAIN
# What the kernel's policy says of sshd when it runs the callback.
callback_domain() { selinuxexeccon "$callback" system_u:system_r:sshd_t:s0 | grep ':iptrackd_pam_t:'; }
# Of this boot, of whomever: of iptrackd's domains or of its files.
denials() { journalctl -b --no-pager -o cat | grep -E 'avc: +denied' | grep -E 'iptrackd' | sort -u; }
none_denied() { [ -z "$(denials)" ] || { denials && false; }; }
# That denials are told of at all: nothing else is run in the daemon's domain.
is_told() { ! runcon system_u:system_r:iptrackd_t:s0 /bin/true 2>/dev/null && [ -n "$(denials)" ]; }
load_module() { cp /test/iptrackd.pp /root && semodule -i /root/iptrackd.pp; }

check 'SELinux enforces' is_enforcing
begin_installation
check 'the module is loaded' load_module
check 'its files are labelled' labels
check 'logins are prepared' prepare_logins "$callback"
check 'and those of the user' restorecon -R /home/alice
check 'check finds nothing' iptrackd check
start_units
check 'the daemon is in its domain' has_domain "$(main_pid)" iptrackd_t
check 'the callback will be in its own' callback_domain
check 'a login over ssh' login /usr/bin/id
check 'its session is stored' until_true 20 has_sessions 1
check 'its program is stored' until_true 20 is_count 1 "kind = 'exec' AND exe = '/usr/bin/id' AND uid = $(id -u alice)"
check 'status' iptrackd status
apply_rule
check 'a reload' systemctl reload iptrackd.service
check 'a restart' systemctl restart iptrackd.service
check 'the unit is ready after it' until_true 120 is_ready
check 'another login' login id
check 'it is stored' until_true 20 has_sessions 3
check 'it has warned of nothing' warns_of_nothing
check 'nothing was denied' none_denied
check 'what is denied is told' is_told
finish
