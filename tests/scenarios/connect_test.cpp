#include <doctest/doctest.h>

#include "deed.h"

namespace iptrackd::scenario {

TEST_CASE("connect: TCP over IPv4") {
  check_deed({"connect", "family=4"});
}
TEST_CASE("connect: TCP over IPv6") {
  check_deed({"connect", "family=6"});
}
TEST_CASE("connect: TCP over IPv4 in an IPv6 socket") {
  check_deed({"connect", "family=mapped"});
}
TEST_CASE("connect: UDP over IPv4") {
  check_deed({"connect", "proto=udp", "family=4"});
}
TEST_CASE("connect: UDP over IPv6") {
  check_deed({"connect", "proto=udp", "family=6"});
}
TEST_CASE("connect: UDP over IPv4 in an IPv6 socket") {
  check_deed({"connect", "proto=udp", "family=mapped"});
}

TEST_CASE("connect: TCP from a bound socket") {
  check_deed({"connect", "bound=yes"});
}
TEST_CASE("connect: UDP from a bound socket") {
  check_deed({"connect", "proto=udp", "bound=yes", "family=6"});
}

TEST_CASE("connect: refused over IPv4") {
  check_deed({"connect", "outcome=refused"});
}
TEST_CASE("connect: refused over IPv6") {
  check_deed({"connect", "outcome=refused", "family=6"});
}
TEST_CASE("connect: refused over IPv4 in an IPv6 socket") {
  check_deed({"connect", "outcome=refused", "family=mapped"});
}
TEST_CASE("connect: refused from a bound socket") {
  check_deed({"connect", "outcome=refused", "bound=yes"});
}
TEST_CASE("connect: refused without blocking") {
  check_deed({"connect", "outcome=refused", "how=poll", "bound=yes"});
}
TEST_CASE("connect: refused while connect is called again and again") {
  check_deed({"connect", "outcome=refused", "how=connect", "family=6"});
}

TEST_CASE("connect: no route for a broadcast over TCP") {
  check_deed({"connect", "outcome=unreachable"});
}
TEST_CASE("connect: no permission for a broadcast over UDP") {
  check_deed({"connect", "outcome=forbidden", "proto=udp"});
}

TEST_CASE("connect: without blocking") {
  check_deed({"connect", "how=poll"});
}
TEST_CASE("connect: called until it says that it is connected") {
  check_deed({"connect", "how=connect", "family=6"});
}
TEST_CASE("connect: an outcome that comes a second later") {
  check_deed({"connect", "outcome=delayed", "how=poll"});
}
TEST_CASE("connect: called again and again for a second") {
  check_deed({"connect", "outcome=delayed", "how=connect", "family=6"});
}
TEST_CASE("connect: closed before there is an outcome") {
  check_deed({"connect", "outcome=abandoned"});
}

}  // namespace iptrackd::scenario
