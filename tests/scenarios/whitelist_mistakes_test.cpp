// Rules that are wrong: each is refused with its place, and nothing changes.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <chrono>

#include "whitelist.h"

namespace iptrackd::scenario {
namespace {

struct Mistake {
  std::string rule;
  int character;  // where it stands, from 1; 0: there is no rule
};

const std::vector<Mistake> of_network{
    {"", 0},
    {"usr/sbin/sshd|p<22>", 1},
    {"|p<22>", 1},
    {"/" + std::string(4999, 'a'), 4096},
    {"/bin/x|p<0>", 10},
    {"/bin/x|p<65536>", 10},
    {"/bin/x|p<23-22>", 13},
    {"/bin/x|p<22", 12},
    {"/bin/x|i<10.0.0.0/33>", 19},
    {"/bin/x|i<10.0.0>", 10},
    {"/bin/x|u<root>", 10},
    {"/bin/x|k<connect,open>", 18},
    {"/bin/x|z<22>", 8},
    {"/bin/x|p<22>|p<23>", 14},
    {"/bin/\x01x|p<22>", 6},
};
const std::vector<Mistake> of_exec{{"", 0}, {"ls|-l", 1}, {"/bin/x|", 8}, {"/bin/x|u<>|-l", 10}};

void check_refused(const Whitelist &whitelist, const Ended &ended, int character) {
  CAPTURE(ended.err);
  CHECK(ended.status == 2);
  const std::string place = character == 0 ? "no rule" : "character " + std::to_string(character) + ":";
  CHECK(ended.err.find(place) != std::string::npos);
  CHECK(ended.err.size() < 1000);
  CHECK(whitelist.texts("network") == Words{"/bin/good|p<22>"});
  CHECK(whitelist.texts("exec").empty());
}

}  // namespace

TEST_CASE("whitelist: a rule with a mistake is refused with its place") {
  const Whitelist whitelist{whitelist_daemon()};
  whitelist.must({"add", "/bin/good|p<22>"});
  for (const Mistake &mistake : of_network) {
    CAPTURE(mistake.rule);
    for (const char *verb : {"add", "replace", "encode"})
      check_refused(whitelist, whitelist.verb({verb, mistake.rule}), mistake.character);
  }
  for (const Mistake &mistake : of_exec) {
    CAPTURE(mistake.rule);
    check_refused(whitelist, whitelist.verb({"add", "--exec", mistake.rule}), mistake.character);
  }
  // One of several.
  check_refused(whitelist, whitelist.verb({"add", "/bin/x|p<1>", "/bin/y|p<0>"}), 10);
}

TEST_CASE("whitelist: what is there already or not there is refused") {
  const Whitelist whitelist{whitelist_daemon()};
  whitelist.must({"add", "/bin/x|p<22>|i<10.0.0.0/8>"});
  // The same in other words.
  CHECK(whitelist.verb({"add", "/bin/x|i<10.9.9.9/8>|p22-22"}).status == 2);
  CHECK(whitelist.verb({"add", "/bin/y|p<22>", "/bin//y|p<22>"}).status == 2);
  CHECK(whitelist.verb({"del", "/bin/x|p<22>"}).status == 2);
  CHECK(whitelist.verb({"del", "--exec", "/bin/x"}).status == 2);
  CHECK(whitelist.rules().size() == 1);
  whitelist.must({"del", "/bin/x|i<10.9.9.9/8>|p22-22"});
  CHECK(whitelist.rules().empty());
}

TEST_CASE("whitelist: a program has at most 64 rules of a list") {
  const Whitelist whitelist{whitelist_daemon()};
  for (const std::string program : {"/bin/sh", "/no/such/program"}) {
    CAPTURE(program);
    const auto rule = [&](int port) { return program + "|p<" + std::to_string(port) + ">"; };
    whitelist.must({"clear"});
    Words words{"add"};
    for (int port = 1; port <= 64; ++port) words.push_back(rule(port));
    whitelist.must(words);
    CHECK(whitelist.verb({"add", rule(65)}).status == 2);
    CHECK(whitelist.rules().size() == 64);
    whitelist.must({"del", rule(1)});
    CHECK(whitelist.verb({"add", rule(65)}).status == 0);
  }
}

TEST_CASE("whitelist: a replacement that is refused changes nothing") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const TemporaryDirectory directory;
  const Path program = copy_of_oracle(directory.path(), "program");
  whitelist.must({"add", program.string()});
  whitelist.must({"add", "--exec", program.string()});
  Words too_many;
  for (int port = 1; port <= 65; ++port) too_many.push_back("/bin/sh|p<" + std::to_string(port) + ">");
  const Json replacement{{"verb", "replace"}, {"network", too_many}, {"exec", Json::array()}};
  CHECK(whitelist.answer(replacement).find("more than 64 rules") != std::string::npos);
  const Ended twice = whitelist.verb({"replace", "/bin/sh|p<1>", "/bin//sh|p<1-1>"});
  CHECK(twice.status == 2);
  CHECK(twice.err.find("/bin/sh|p<1> stands there twice") != std::string::npos);
  CHECK(whitelist.files(program) == 1);
  // The next change lays the rules out anew.
  whitelist.must({"add", "/bin/another"});
  CHECK(outcome_of(daemon.rows(), deed_of(program)) == Outcome::dropped);
}

// However it came by them, the others must not suffer from it.
TEST_CASE("whitelist: two paths that become one file with too many rules stop no other rule") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const TemporaryDirectory directory;
  const Path first = copy_of_oracle(directory.path(), "first");
  const Path second = copy_of_oracle(directory.path(), "second");
  Words words{"add"};
  for (int port = 1; port <= 40; ++port) {
    words.push_back(first.string() + "|p<" + std::to_string(port) + ">");
    words.push_back(second.string() + "|p<" + std::to_string(100 + port) + ">");
  }
  whitelist.must(words);
  const Path later = directory.path() / "later";
  whitelist.must({"add", later.string()});
  whitelist.must({"add", "--exec", later.string()});
  std::filesystem::remove(second);
  std::filesystem::create_hard_link(first, second);
  (void)copy_of_oracle(directory.path(), "later");
  CHECK(eventually(std::chrono::seconds{3},
                   [&] { return outcome_of(daemon.rows(), deed_of(later)) == Outcome::dropped; }));
  CHECK(whitelist.verb({"add", "/bin/another"}).status == 0);
}

TEST_CASE("whitelist: lists that nobody would write are refused in time") {
  const Whitelist whitelist{whitelist_daemon()};
  whitelist.must({"add", "/bin/good"});
  const TemporaryDirectory directory;
  const Path file = directory.path() / "list.yml";
  for (const std::string &list : {std::string(1'000'000, ','), std::string("/bin/x\\0|p<22>"),
                                  std::string("/bin/x|p<22>,") + std::string(2'000'000, ' ') + ",/bin/x"}) {
    write_file(file, "network: \"" + list + "\"\n");
    const auto began = std::chrono::steady_clock::now();
    const Ended ended = whitelist.verb({"replace", "--from", file.string()});
    CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds{5});
    CAPTURE(ended.err);
    CHECK(ended.status == 2);
    CHECK(ended.err.size() < 10'000);
    CHECK(ended.err.find("list.yml:1:") != std::string::npos);
  }
  const std::string nul{"/bin/x\0|p<22>", 13};
  CHECK(whitelist.answer({{"verb", "replace"}, {"network", {nul}}}).starts_with('-'));
  CHECK(whitelist.texts("network") == Words{"/bin/good"});
}

TEST_CASE("whitelist: check tells what a rule will not do") {
  const TemporaryDirectory directory;
  const Path root = directory.path();
  for (const char *place : {"sbin", "lib", "lib/openssh"}) std::filesystem::create_directory(root / place);
  write_file(root / "sbin/sshd", "");
  write_file(root / "sbin/script", "#!/bin/sh\n");
  write_file(root / "sbin/others", "");
  REQUIRE(chmod((root / "sbin/others").c_str(), 0777) == 0);
  const auto checked = [&] {
    const Prepared prepared = prepare(
        directory.path(),
        whitelist_options("whitelist: {network: ['" + (root / "sbin/sshd").string() + "|p<22>', '" +
                          (root / "sbin/none").string() + "'], exec: ['" + (root / "sbin/script").string() +
                          "', '" + (root / "sbin/others").string() + "']}\n"));
    Launch launch;
    launch.arguments = {settings().daemon.string(), "check", "--config", prepared.configuration.string()};
    const Ended ended = run(launch, std::chrono::seconds{60});
    return ended.out + ended.err;
  };
  const std::string before = checked();
  CHECK(before.find("sshd-session") == std::string::npos);
  CHECK(before.find("none does not exist") != std::string::npos);
  CHECK(before.find("script is a script") != std::string::npos);
  CHECK(before.find("others can be changed by others than root") != std::string::npos);
  write_file(root / "lib/openssh/sshd-session", "");
  CHECK(checked().find("which has no rule") != std::string::npos);
}

}  // namespace iptrackd::scenario
