# shellcheck shell=bash
# Small deeds for the demonstration to show, to be sourced after steps.sh and sshd.sh. Each talks to loopback only.

# Takes one connection and one datagram, answers the connection, and ends; prints both ports first.
deeds_server() {
  perl -MIO::Socket::INET -e '
    alarm 5;
    $| = 1;
    my $tcp = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 1) or exit 1;
    my $udp = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Proto => "udp") or exit 1;
    print $tcp->sockport, " ", $udp->sockport, "\n";
    my $peer = $tcp->accept or exit 1;
    my $line = <$peer>;
    print $peer "you said $line";
    close $peer;
    $udp->recv($line, 100);'
}

# exec, bind, connect, accept and close, over TCP and UDP; one connection that is refused, one exec that fails.
deeds_of_a_program() {
  local ports server
  exec {server}< <(deeds_server)
  read -r -t 5 -a ports <&"$server" || return 0
  # shellcheck disable=SC2016 # for the inner shell
  bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" && echo "hello over TCP" >&3 && read -r answer <&3' client "${ports[0]}"
  # shellcheck disable=SC2016
  bash -c 'echo "hello over UDP" >"/dev/udp/127.0.0.1/$1"' client "${ports[1]}"
  exec {server}<&-
  bash -c 'exec 3<>/dev/tcp/127.0.0.1/1' client
  bash -c 'exec /usr/bin/no-such-program --with "an argument"' client
  setpriv --reuid=nobody --regid=nogroup --clear-groups /usr/bin/id -un
}

# A login with a terminal, through PAM.
deeds_of_a_login() {
  # shellcheck disable=SC2034 # read by sshd_login
  local sshd_client_options=(-tt)
  sshd_login "$1" root 'uname -sr; tty; sleep 0.3'
}

# deeds SSHD_DIR: until it is ended, or the script that it was started by is gone. Runs in a shell of its own.
deeds() {
  # Some of the deeds are meant to fail.
  set +e
  while [[ -d /proc/$$ ]]; do
    deeds_of_a_program
    deeds_of_a_login "$1"
    pause 2
  done </dev/null >/dev/null 2>&1
}
