// What was there before the daemon: the first event of an old process says who it is, and the end of an old
// connection has a row.
#include <doctest/doctest.h>

#include "daemon.h"
#include "deed.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

// An oracle in the context IN is older than the daemon that watches it.
void check_old(const std::string &in, const std::string &first = "deed") {
  const TemporaryDirectory directory;
  const Path go_on = directory.path() / "go-on";
  Process old{oracle({"old", "in=" + in, "first=" + first, "until=" + go_on.string()})};
  REQUIRE(eventually(std::chrono::seconds{20},
                     [&] { return std::filesystem::exists(go_on.string() + ".ready"); }));
  Daemon daemon;
  const std::int64_t since = now_us();
  write_file(go_on, "");
  REQUIRE_MESSAGE(old.wait(std::chrono::seconds{20}) == 0, old.err());
  auto facts = Json::parse(old.out()).at("events").get<Facts>();
  std::erase_if(facts, [](const Json &row) { return row.at("kind") == "exec"; });
  check_facts(daemon.rows(), facts, since);
}

}  // namespace

TEST_CASE("preexisting: a process and its connections") {
  check_old("process");
}

TEST_CASE("preexisting: a process whose end is its first event") {
  check_old("process", "end");
}

TEST_CASE("preexisting: a process on a terminal") {
  check_old("pty-child");
}

TEST_CASE("preexisting: a process with a login user and an audit session") {
  if (!can_set_loginuid()) return skip("this kernel does not let /proc/self/loginuid be written");
  check_old("loginuid");
}

TEST_CASE("preexisting: a process of other namespaces") {
  check_old("namespaces");
}

}  // namespace iptrackd::scenario
