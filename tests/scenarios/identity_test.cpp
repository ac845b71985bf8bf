// Who did it: the columns of the task, over an exec and every kind of socket event.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "daemon.h"
#include "deed.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

// A copy of the oracle, owned by OWNER, with the set-user-id and set-group-id bits.
Path setuid_oracle(const TemporaryDirectory &directory, uid_t owner) {
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  Path copy = directory.path() / "setuid-oracle";
  std::filesystem::copy_file(oracle_path(), copy);
  REQUIRE(chown(copy.c_str(), owner, owner) == 0);
  REQUIRE(chmod(copy.c_str(), 06755) == 0);
  return copy;
}

}  // namespace

TEST_CASE("identity: a process of another user") {
  Launch launch = oracle({"all"});
  launch.user = uid_of_nobody;
  check_deed(launch, [](Json &event) { CHECK(event.at("euid") == uid_of_nobody); });
}

TEST_CASE("identity: a setuid program of root that a user runs") {
  const TemporaryDirectory directory;
  Launch launch = oracle({"all"});
  launch.program = setuid_oracle(directory, 0);
  launch.user = uid_of_nobody;
  check_deed(launch, [](Json &event) {
    CHECK(event.at("uid") == uid_of_nobody);
    CHECK(event.at("euid") == 0);
  });
}

TEST_CASE("identity: a setuid program of a user that root runs") {
  const TemporaryDirectory directory;
  Launch launch = oracle({"all"});
  launch.program = setuid_oracle(directory, uid_of_nobody);
  check_deed(launch, [](Json &event) {
    CHECK(event.at("uid") == 0);
    CHECK(event.at("egid") == uid_of_nobody);
  });
}

TEST_CASE("identity: a session of its own has no terminal") {
  check_deed({"all", "in=session"});
}

TEST_CASE("identity: the leader of a session on a pty") {
  check_deed({"all", "in=pty-leader"});
}

TEST_CASE("identity: a child in a session on a pty") {
  check_deed({"all", "in=pty-child"});
}

TEST_CASE("identity: a thread") {
  check_deed({"all", "in=thread"});
}

TEST_CASE("identity: other network and pid and mount namespaces") {
  check_deed({"all", "in=namespaces"});
}

TEST_CASE("identity: a control group of its own") {
  check_deed({"all", "in=cgroup"});
}

TEST_CASE("identity: a login user and an audit session") {
  if (!can_set_loginuid()) return skip("this kernel does not let /proc/self/loginuid be written");
  check_deed({"all", "in=loginuid"});
}

}  // namespace iptrackd::scenario
