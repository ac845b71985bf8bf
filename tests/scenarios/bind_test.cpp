#include <doctest/doctest.h>

#include "deed.h"

namespace iptrackd::scenario {

TEST_CASE("bind: the kernel chooses a TCP port over IPv4") {
  check_deed({"bind", "family=4"});
}
TEST_CASE("bind: the kernel chooses a TCP port over IPv6") {
  check_deed({"bind", "family=6"});
}
TEST_CASE("bind: the kernel chooses a TCP port for IPv4 in an IPv6 socket") {
  check_deed({"bind", "family=mapped"});
}
TEST_CASE("bind: the kernel chooses a UDP port over IPv4") {
  check_deed({"bind", "proto=udp", "family=4"});
}
TEST_CASE("bind: the kernel chooses a UDP port over IPv6") {
  check_deed({"bind", "proto=udp", "family=6"});
}
TEST_CASE("bind: the kernel chooses a UDP port for IPv4 in an IPv6 socket") {
  check_deed({"bind", "proto=udp", "family=mapped"});
}

TEST_CASE("bind: any address over IPv4") {
  check_deed({"bind", "address=any"});
}
TEST_CASE("bind: any address over IPv6") {
  check_deed({"bind", "address=any", "family=6"});
}

TEST_CASE("bind: a TCP port that is in use") {
  check_deed({"bind", "outcome=in-use"});
}
TEST_CASE("bind: a UDP port that is in use") {
  check_deed({"bind", "outcome=in-use", "proto=udp", "family=6"});
}
TEST_CASE("bind: a TCP address of another host") {
  check_deed({"bind", "outcome=unavailable"});
}
TEST_CASE("bind: a UDP address of another host") {
  check_deed({"bind", "outcome=unavailable", "proto=udp"});
}

}  // namespace iptrackd::scenario
