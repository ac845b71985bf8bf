// The doors for 32-bit and x32 programs lead to the same rows.
#include <doctest/doctest.h>

#include "ways.h"

namespace iptrackd::scenario {

TEST_CASE("compat: connect by int 0x80") {
  check_way({"connect", "way=int80"});
}
TEST_CASE("compat: connect by int 0x80 that is refused") {
  check_way({"connect", "way=int80", "outcome=refused", "family=6"});
}
TEST_CASE("compat: connect by int 0x80 without a route") {
  check_way({"connect", "way=int80", "outcome=unreachable"}, {no_connect_without_syn});
}
TEST_CASE("compat: connect UDP by int 0x80") {
  check_way({"connect", "way=int80", "proto=udp"}, {no_outcome_of_udp_connect});
}
TEST_CASE("compat: accept by int 0x80") {
  check_way({"accept", "way=int80"}, {no_accept});
}
TEST_CASE("compat: accept by int 0x80 over IPv6") {
  check_way({"accept", "way=int80", "family=6", "call=accept4"}, {no_accept});
}
TEST_CASE("compat: bind by int 0x80") {
  check_way({"bind", "way=int80"});
}
TEST_CASE("compat: bind by int 0x80 over IPv6") {
  check_way({"bind", "way=int80", "proto=udp", "family=6"});
}
TEST_CASE("compat: bind by int 0x80 to a port that is in use") {
  check_way({"bind", "way=int80", "outcome=in-use"}, {no_failed_bind});
}
TEST_CASE("compat: close by int 0x80") {
  check_way({"close", "way=int80", "sent=12345"});
}

TEST_CASE("compat: connect by socketcall") {
  check_way({"connect", "way=socketcall"});
}
TEST_CASE("compat: connect by socketcall that is refused") {
  check_way({"connect", "way=socketcall", "outcome=refused", "family=6"});
}
TEST_CASE("compat: connect by socketcall without a route") {
  check_way({"connect", "way=socketcall", "outcome=unreachable"}, {no_connect_without_syn});
}
TEST_CASE("compat: connect UDP by socketcall") {
  check_way({"connect", "way=socketcall", "proto=udp"}, {no_outcome_of_udp_connect});
}
TEST_CASE("compat: accept by socketcall") {
  check_way({"accept", "way=socketcall"}, {no_accept});
}
TEST_CASE("compat: accept by socketcall over IPv6") {
  check_way({"accept", "way=socketcall", "family=6", "call=accept4"}, {no_accept});
}
TEST_CASE("compat: bind by socketcall") {
  check_way({"bind", "way=socketcall"});
}
TEST_CASE("compat: bind by socketcall over IPv6") {
  check_way({"bind", "way=socketcall", "proto=udp", "family=6"});
}
TEST_CASE("compat: bind by socketcall to a port that is in use") {
  check_way({"bind", "way=socketcall", "outcome=in-use"}, {no_failed_bind});
}
TEST_CASE("compat: close by socketcall") {
  check_way({"close", "way=socketcall", "sent=12345"});
}

// Hardly any kernel has them any more.
TEST_CASE("compat: connect by the x32 numbers") {
  check_way({"connect", "way=x32"});
}

TEST_CASE("compat: connect of a 32-bit program") {
  check_way({"small32", "do=connect"});
}
TEST_CASE("compat: connect of a 32-bit program by socketcall") {
  check_way({"small32", "do=connect-socketcall"});
}
TEST_CASE("compat: accept of a 32-bit program") {
  check_way({"small32", "do=accept"}, {no_accept});
}
TEST_CASE("compat: accept of a 32-bit program by socketcall") {
  check_way({"small32", "do=accept-socketcall"}, {no_accept});
}
TEST_CASE("compat: exec of a 32-bit program by itself") {
  check_way({"small32", "do=exec"});
}
TEST_CASE("compat: exec of a 32-bit program that fails") {
  check_way({"small32", "do=exec-missing"}, {no_failed_exec});
}

}  // namespace iptrackd::scenario
