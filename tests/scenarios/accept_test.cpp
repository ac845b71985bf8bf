#include <doctest/doctest.h>

#include "deed.h"

namespace iptrackd::scenario {

TEST_CASE("accept: over IPv4") {
  check_deed({"accept", "family=4"});
}
TEST_CASE("accept: over IPv6") {
  check_deed({"accept", "family=6"});
}
TEST_CASE("accept: an IPv4 peer of an IPv6 socket") {
  check_deed({"accept", "family=mapped"});
}
TEST_CASE("accept: by accept4") {
  check_deed({"accept", "call=accept4"});
}
TEST_CASE("accept: nobody waits") {
  check_deed({"accept", "empty=yes"});
}
TEST_CASE("accept: in a child with the parent's listener") {
  check_deed({"accept", "by=child"});
}
TEST_CASE("accept: in a thread") {
  check_deed({"accept", "in=thread"});
}

}  // namespace iptrackd::scenario
