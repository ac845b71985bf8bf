#include <doctest/doctest.h>

#include "deed.h"

namespace iptrackd::scenario {

TEST_CASE("close: nothing was sent") {
  check_deed({"close", "sent=0", "received=0"});
}
TEST_CASE("close: one byte each way") {
  check_deed({"close", "sent=1", "received=1"});
}
TEST_CASE("close: 12345 bytes sent") {
  check_deed({"close", "sent=12345"});
}
TEST_CASE("close: 12345 bytes received over IPv6") {
  check_deed({"close", "received=12345", "family=6"});
}
TEST_CASE("close: more than a mebibyte each way") {
  check_deed({"close", "sent=1048583", "received=3000001"});
}
TEST_CASE("close: IPv4 in an IPv6 socket") {
  check_deed({"close", "sent=77", "received=1", "family=mapped"});
}
TEST_CASE("close: the server closes first") {
  check_deed({"close", "first=server", "sent=12345", "received=54321"});
}

TEST_CASE("close: at exit") {
  check_deed({"close", "how=exit", "sent=12345", "received=1"});
}
TEST_CASE("close: by SIGKILL") {
  check_deed({"close", "how=kill", "sent=12345", "received=1048583"});
}
TEST_CASE("close: after dup there is one row") {
  check_deed({"close", "how=dup", "sent=12345"});
}
TEST_CASE("close: after fork there is one row of the last process") {
  check_deed({"close", "how=fork", "sent=12345"});
}
TEST_CASE("close: of a copy of the descriptor after the first") {
  check_deed({"close", "how=copy"});
}
TEST_CASE("close: by close_range") {
  check_deed({"close", "how=range"});
}
TEST_CASE("close: by dup2 over the descriptor") {
  check_deed({"close", "how=replace"});
}
TEST_CASE("close: by a program that inherited the descriptor") {
  check_deed({"close", "how=inherit"});
}
TEST_CASE("close: on exec") {
  check_deed({"close", "how=exec"});
}
TEST_CASE("close: by a process that was passed the descriptor") {
  check_deed({"close", "how=pass"});
}
TEST_CASE("close: of a descriptor that was passed and never received") {
  check_deed({"close", "how=pass-unread"});
}
TEST_CASE("close: in a thread") {
  check_deed({"close", "in=thread", "sent=12345"});
}

TEST_CASE("close: after shutdown of both sides") {
  check_deed({"close", "how=shutdown", "sent=12345", "received=77"});
}
TEST_CASE("close: by a reset") {
  check_deed({"close", "how=reset", "sent=12345", "received=77"});
}
TEST_CASE("close: with bytes that nobody read") {
  check_deed({"close", "how=unread", "sent=12345"});
}

TEST_CASE("close: UDP over IPv4") {
  check_deed({"close", "proto=udp", "sent=100"});
}
TEST_CASE("close: UDP over IPv6") {
  check_deed({"close", "proto=udp", "family=6", "sent=100"});
}
TEST_CASE("close: UDP by SIGKILL") {
  check_deed({"close", "proto=udp", "how=kill", "sent=100"});
}
TEST_CASE("close: UDP at exit after fork") {
  check_deed({"close", "proto=udp", "how=fork", "sent=100"});
}

}  // namespace iptrackd::scenario
