#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>

#include "deed.h"

namespace iptrackd::scenario {
namespace {

// The oracle only knows when its call began and ended. The SYN was sent twice: the outcome is some seconds
// after.
void after_waiting(Json &event) {
  if (event.at("kind") != "connect" || event.at("result") != -ETIMEDOUT) return;
  constexpr std::int64_t least_us = 1'500'000;
  Json &ts = event["ts"]["between"][0];
  Json &duration = event["duration"]["between"][0];
  ts = ts.get<std::int64_t>() + std::max<std::int64_t>(least_us - duration.get<std::int64_t>(), 0);
  duration = std::max(duration.get<std::int64_t>(), least_us);
}

}  // namespace

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
TEST_CASE("connect: timed out") {
  check_deed({"connect", "outcome=timed-out"}, after_waiting);
}
TEST_CASE("connect: timed out without blocking") {
  check_deed({"connect", "outcome=timed-out", "how=poll", "family=6"}, after_waiting);
}
TEST_CASE("connect: timed out from a bound socket") {
  check_deed({"connect", "outcome=timed-out", "bound=yes"}, after_waiting);
}
TEST_CASE("connect: left at a signal and established later") {
  check_deed({"connect", "outcome=interrupted"});
}
TEST_CASE("connect: left at a signal and closed") {
  check_deed({"connect", "outcome=interrupted-closed"});
}
TEST_CASE("connect: begun again by the kernel after a signal") {
  check_deed({"connect", "outcome=restarted"});
}
TEST_CASE("connect: left at the end of SO_SNDTIMEO and established later") {
  check_deed({"connect", "outcome=send-timeout"});
}
TEST_CASE("connect: closed before there is an outcome") {
  check_deed({"connect", "outcome=abandoned"});
}

}  // namespace iptrackd::scenario
