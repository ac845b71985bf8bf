// What is left to io_uring leaves the rows of the system call, marked.
#include <doctest/doctest.h>

#include "ways.h"

namespace iptrackd::scenario {

TEST_CASE("io_uring: connect over IPv4") {
  check_way({"connect", "way=uring", "family=4"});
}
TEST_CASE("io_uring: connect over IPv6") {
  check_way({"connect", "way=uring", "family=6"});
}
TEST_CASE("io_uring: connect to IPv4 in an IPv6 socket") {
  check_way({"connect", "way=uring", "family=mapped"});
}
TEST_CASE("io_uring: connect from a bound socket") {
  check_way({"connect", "way=uring", "bound=yes"});
}
TEST_CASE("io_uring: connect that is refused") {
  check_way({"connect", "way=uring", "outcome=refused"});
}
TEST_CASE("io_uring: connect without a route") {
  check_way({"connect", "way=uring", "outcome=unreachable"}, {no_connect_without_syn});
}
TEST_CASE("io_uring: connect without blocking") {
  check_way({"connect", "way=uring", "how=poll"});
}
TEST_CASE("io_uring: connect UDP over IPv4") {
  check_way({"connect", "way=uring", "proto=udp", "family=4"}, {no_outcome_of_udp_connect});
}
TEST_CASE("io_uring: connect UDP over IPv6") {
  check_way({"connect", "way=uring", "proto=udp", "family=6"}, {no_outcome_of_udp_connect});
}
TEST_CASE("io_uring: connect UDP from a bound socket") {
  check_way({"connect", "way=uring", "proto=udp", "bound=yes"}, {no_outcome_of_udp_connect});
}
TEST_CASE("io_uring: connect UDP without permission") {
  check_way({"connect", "way=uring", "proto=udp", "outcome=forbidden"}, {no_outcome_of_udp_connect});
}
TEST_CASE("io_uring: connect UDP from a bound socket without permission") {
  check_way({"connect", "way=uring", "proto=udp", "outcome=forbidden", "bound=yes"},
            {no_outcome_of_udp_connect});
}

TEST_CASE("io_uring: connect by a worker") {
  check_way({"connect", "way=uring-worker"});
}
TEST_CASE("io_uring: connect by a worker that is refused") {
  check_way({"connect", "way=uring-worker", "outcome=refused", "family=6"});
}
TEST_CASE("io_uring: connect UDP by a worker") {
  check_way({"connect", "way=uring-worker", "proto=udp"}, {no_outcome_of_udp_connect});
}

TEST_CASE("io_uring: connect by the polling thread") {
  check_way({"connect", "way=uring-sqpoll"});
}
TEST_CASE("io_uring: connect by the polling thread that is refused") {
  check_way({"connect", "way=uring-sqpoll", "outcome=refused", "family=6"});
}
TEST_CASE("io_uring: connect UDP by the polling thread") {
  check_way({"connect", "way=uring-sqpoll", "proto=udp"}, {no_outcome_of_udp_connect});
}

TEST_CASE("io_uring: connect without a completion") {
  check_way({"connect", "way=uring-quiet"});
}
TEST_CASE("io_uring: connect without a completion that is refused") {
  check_way({"connect", "way=uring-quiet", "outcome=refused", "family=6"});
}
TEST_CASE("io_uring: connect UDP without a completion") {
  check_way({"connect", "way=uring-quiet", "proto=udp"}, {no_outcome_of_udp_connect});
}

TEST_CASE("io_uring: connect of a direct descriptor") {
  check_way({"connect", "way=uring-direct"});
}
TEST_CASE("io_uring: connect of a direct descriptor that is refused") {
  check_way({"connect", "way=uring-direct", "outcome=refused", "family=6"});
}
TEST_CASE("io_uring: connect UDP of a direct descriptor") {
  check_way({"connect", "way=uring-direct", "proto=udp"}, {no_outcome_of_udp_connect});
}

TEST_CASE("io_uring: accept over IPv4") {
  check_way({"accept", "way=uring", "family=4"});
}
TEST_CASE("io_uring: accept over IPv6") {
  check_way({"accept", "way=uring", "family=6"});
}
TEST_CASE("io_uring: accept of an IPv4 peer in an IPv6 socket") {
  check_way({"accept", "way=uring", "family=mapped"});
}
TEST_CASE("io_uring: accept that is asked for early") {
  check_way({"accept", "way=uring", "early=yes"});
}
TEST_CASE("io_uring: accept by a worker") {
  check_way({"accept", "way=uring-worker"});
}
TEST_CASE("io_uring: accept by a worker that is asked for early") {
  check_way({"accept", "way=uring-worker", "early=yes"});
}
TEST_CASE("io_uring: accept by the polling thread") {
  check_way({"accept", "way=uring-sqpoll"});
}
TEST_CASE("io_uring: accept by the polling thread that is asked for early") {
  check_way({"accept", "way=uring-sqpoll", "early=yes"});
}
TEST_CASE("io_uring: accept without a completion") {
  check_way({"accept", "way=uring-quiet"}, {no_accept});
}
TEST_CASE("io_uring: accept as a direct descriptor") {
  check_way({"accept", "way=uring-direct"}, {no_accept});
}
TEST_CASE("io_uring: accept as a direct descriptor over IPv6") {
  check_way({"accept", "way=uring-direct", "family=6"}, {no_accept});
}
TEST_CASE("io_uring: accept as a direct descriptor that is left to the end of the ring") {
  check_way({"accept", "way=uring-direct-left"}, {no_accept});
}
TEST_CASE("io_uring: accept of two connections by one request") {
  check_way({"accept", "way=uring-multishot", "again=yes"});
}
TEST_CASE("io_uring: accept of two connections by one early request") {
  check_way({"accept", "way=uring-multishot", "early=yes", "again=yes"});
}

TEST_CASE("io_uring: bind TCP over IPv4") {
  check_way({"bind", "way=uring", "family=4"});
}
TEST_CASE("io_uring: bind TCP over IPv6") {
  check_way({"bind", "way=uring", "family=6"});
}
TEST_CASE("io_uring: bind UDP over IPv4") {
  check_way({"bind", "way=uring", "proto=udp", "family=4"});
}
TEST_CASE("io_uring: bind UDP over IPv6") {
  check_way({"bind", "way=uring", "proto=udp", "family=6"});
}
TEST_CASE("io_uring: bind to a port that is in use") {
  check_way({"bind", "way=uring", "outcome=in-use"}, {no_failed_bind});
}
TEST_CASE("io_uring: bind to an address of another host") {
  check_way({"bind", "way=uring", "proto=udp", "outcome=unavailable"}, {no_failed_bind});
}
TEST_CASE("io_uring: bind by a worker") {
  check_way({"bind", "way=uring-worker"});
}
TEST_CASE("io_uring: bind by the polling thread") {
  check_way({"bind", "way=uring-sqpoll"});
}
TEST_CASE("io_uring: bind without a completion") {
  check_way({"bind", "way=uring-quiet"});
}
TEST_CASE("io_uring: bind of a direct descriptor") {
  check_way({"bind", "way=uring-direct"});
}

TEST_CASE("io_uring: close") {
  check_way({"close", "way=uring", "sent=12345", "received=77"});
}
TEST_CASE("io_uring: close UDP") {
  check_way({"close", "way=uring", "proto=udp", "family=6", "sent=100"});
}
TEST_CASE("io_uring: close after dup there is one row") {
  check_way({"close", "way=uring", "how=dup"});
}
TEST_CASE("io_uring: close by a worker") {
  check_way({"close", "way=uring-worker", "sent=12345"});
}
TEST_CASE("io_uring: close by the polling thread") {
  check_way({"close", "way=uring-sqpoll", "sent=12345"});
}
TEST_CASE("io_uring: close without a completion") {
  check_way({"close", "way=uring-quiet", "sent=12345"});
}

}  // namespace iptrackd::scenario
