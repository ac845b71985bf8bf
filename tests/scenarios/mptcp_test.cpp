// TCP that is asked for by other names: MPTCP is shown as TCP, and a Fast Open is one connect.
#include <doctest/doctest.h>

#include "ways.h"

namespace iptrackd::scenario {

TEST_CASE("mptcp: both sides") {
  check_way({"close", "proto=mptcp", "sent=12345", "received=77"});
}
TEST_CASE("mptcp: both sides over IPv6") {
  check_way({"close", "proto=mptcp", "family=6", "sent=12345"});
}
TEST_CASE("mptcp: a plain client of an MPTCP listener") {
  check_way({"close", "proto=tcp", "server=mptcp", "sent=12345", "received=77"});
}
TEST_CASE("mptcp: an MPTCP client of a plain listener") {
  check_way({"close", "proto=mptcp", "server=tcp", "sent=12345", "received=77"});
}
TEST_CASE("mptcp: the server closes first") {
  check_way({"close", "proto=mptcp", "first=server", "sent=1"});
}
TEST_CASE("mptcp: closed at exit") {
  check_way({"close", "proto=mptcp", "how=exit", "sent=1"});
}
TEST_CASE("mptcp: refused") {
  check_way({"connect", "proto=mptcp", "outcome=refused"});
}
TEST_CASE("mptcp: a port that is in use") {
  check_way({"bind", "proto=mptcp", "outcome=in-use"});
}

TEST_CASE("fast open: by sendto") {
  check_way({"connect", "way=fast-open"});
}
TEST_CASE("fast open: by sendto over IPv6") {
  check_way({"connect", "way=fast-open", "family=6"});
}
TEST_CASE("fast open: by sendto that is refused") {
  check_way({"connect", "way=fast-open", "outcome=refused"});
}
TEST_CASE("fast open: by sendto with the first packet") {
  check_way({"connect", "way=fast-open-at-once", "in=namespaces"});
}
TEST_CASE("fast open: by the option of the socket") {
  check_way({"connect", "way=fast-open-option"});
}
TEST_CASE("fast open: by the option with the first packet") {
  check_way({"connect", "way=fast-open-option-at-once", "in=namespaces"});
}
TEST_CASE("fast open: by the option with the first packet that is refused") {
  check_way({"connect", "way=fast-open-option-at-once", "in=namespaces", "outcome=refused"});
}

}  // namespace iptrackd::scenario
