// Who changes the whitelist while the daemon runs: the verb, bpftool on the pinned maps, the file at SIGHUP.
#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <regex>

#include "skip.h"
#include "whitelist.h"
#include "whitelist_random.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

// Why bpftool cannot write into the maps of DAEMON here; "": it can.
std::string no_bpftool(const Daemon &daemon) {
  if (!has_program("bpftool")) return "there is no bpftool here";
  return has_pins(daemon.prepared()) ? "" : "there is no bpf file system to keep the maps in";
}

void execute_lines(const std::string &lines) {
  Launch launch;
  launch.arguments = {"/bin/sh", "-e", "-c", lines};
  const Ended ended = run(launch);
  REQUIRE_MESSAGE(ended.status == 0, lines, ended.out, ended.err);
}

// What deletes the rules that LINES of encode would enter.
std::string deletion_of(const std::string &lines) {
  static const std::regex update{
      R"((.*) update (pinned \S*whitelist_(?:network|exec) key hex .*) value hex .*)"};
  std::string deletions;
  std::istringstream stream{lines};
  for (std::string line; std::getline(stream, line);) {
    std::smatch parts;
    if (std::regex_match(line, parts, update)) deletions += parts.str(1) + " delete " + parts.str(2) + "\n";
  }
  return deletions;
}

// A program and a rule of each list that drops all that it does.
class LiveProgram {
 public:
  explicit LiveProgram(Daemon &daemon)
      : daemon_{daemon}, path_{copy_of_oracle(directory_.path(), "program")} {}
  [[nodiscard]] std::string path() const { return path_; }
  [[nodiscard]] Outcome outcome() const { return outcome_of(daemon_.rows(), deed_of(path_)); }
  // Of one list after the other: what encode says of the second depends on the first.
  void enter_by_bpftool(const Whitelist &whitelist) const {
    execute_lines(whitelist.must({"encode", path()}));
    execute_lines(whitelist.must({"encode", "--exec", path()}));
  }

 private:
  Daemon &daemon_;
  TemporaryDirectory directory_;
  Path path_;
};

std::vector<bool> verdicts(const Whitelist &whitelist, const std::string &program) {
  WhitelistRandom random{3};
  Json queries = Json::array();
  for (int number = 0; number < 400; ++number)
    queries.push_back(query_of(number % 2 == 0 ? random.network_deed(program) : random.exec_deed(program)));
  const Json answer = whitelist.ask({{"verb", "test"}, {"queries", queries}});
  std::vector<bool> found;
  for (const Json &result : answer.at("results")) found.push_back(result.at("dropped"));
  return found;
}

std::vector<std::string> sorted(std::vector<std::string> texts) {
  std::sort(texts.begin(), texts.end());
  return texts;
}

}  // namespace

TEST_CASE("whitelist: bpftool with the bytes of encode drops what add drops") {
  Daemon &daemon = whitelist_daemon();
  if (const std::string reason = no_bpftool(daemon); !reason.empty()) return skip(reason);
  const Whitelist whitelist{daemon};
  const LiveProgram program{daemon};
  CHECK_FALSE(whitelist.must({"encode", program.path()}).empty());
  CHECK(whitelist.rules().empty());
  CHECK(program.outcome() == Outcome::stored);
  program.enter_by_bpftool(whitelist);
  CHECK(program.outcome() == Outcome::dropped);
  CHECK(whitelist.texts("network") == Words{program.path()});
  CHECK(whitelist.texts("exec") == Words{program.path()});
  CHECK(whitelist.hits("network", program.path()) == 6);
  CHECK(whitelist.hits("exec", program.path()) == 1);
  whitelist.must({"del", program.path()});
  whitelist.must({"del", "--exec", program.path()});
  CHECK(program.outcome() == Outcome::stored);
  program.enter_by_bpftool(whitelist);
  CHECK(program.outcome() == Outcome::dropped);
  whitelist.must({"clear"});
  CHECK(program.outcome() == Outcome::stored);
  CHECK(whitelist.rules().empty());
}

TEST_CASE("whitelist: rules of bpftool and of add have the same verdicts and texts") {
  Daemon &daemon = whitelist_daemon();
  if (const std::string reason = no_bpftool(daemon); !reason.empty()) return skip(reason);
  const Whitelist whitelist{daemon};
  const LiveProgram program{daemon};
  const Words network{program.path() + "|i<10.1.0.0/16>|p<443>|u<1000>|k<connect,close>",
                      program.path() + "|rp<1-1024>|lp<22>", program.path() + "|i<2001:db8::/33>"};
  const std::string exec = program.path() + "|u<1000>|-l /tmp";
  Words encode{"encode"}, add{"add"};
  encode.insert(encode.end(), network.begin(), network.end());
  add.insert(add.end(), network.begin(), network.end());
  execute_lines(whitelist.must(encode));
  execute_lines(whitelist.must({"encode", "--exec", exec}));
  const auto of_bpftool = verdicts(whitelist, program.path());
  const auto network_of_bpftool = sorted(whitelist.texts("network"));
  const auto exec_of_bpftool = whitelist.texts("exec");
  whitelist.must({"clear"});
  const auto of_nobody = verdicts(whitelist, program.path());
  CHECK(std::count(of_nobody.begin(), of_nobody.end(), true) == 0);
  whitelist.must(add);
  whitelist.must({"add", "--exec", exec});
  CHECK(of_bpftool == verdicts(whitelist, program.path()));
  CHECK(std::count(of_bpftool.begin(), of_bpftool.end(), true) > 20);
  CHECK(network_of_bpftool == sorted(whitelist.texts("network")));
  CHECK(exec_of_bpftool == whitelist.texts("exec"));
  CHECK(network_of_bpftool == sorted(network));
}

TEST_CASE("whitelist: after a hundred replacements the pinned maps are those in force") {
  Daemon &daemon = whitelist_daemon();
  if (const std::string reason = no_bpftool(daemon); !reason.empty()) return skip(reason);
  const Whitelist whitelist{daemon};
  const LiveProgram program{daemon};
  for (int round = 1; round <= 100; ++round) {
    const std::string rule = program.path() + "|p<" + std::to_string(round) + ">";
    if (round % 10 == 0) {
      whitelist.must({"replace", rule});
    } else {
      whitelist.ask({{"verb", "replace"}, {"network", {rule}}, {"exec", Json::array()}});
    }
  }
  CHECK(whitelist.texts("network") == Words{program.path() + "|p<100>"});
  CHECK(program.outcome() == Outcome::stored);
  const std::string bytes = whitelist.must({"encode", program.path()});
  execute_lines(bytes);
  execute_lines(whitelist.must({"encode", "--exec", program.path()}));
  CHECK(program.outcome() == Outcome::dropped);
  CHECK(whitelist.texts("network").size() == 2);
  const std::string deletions = deletion_of(bytes);
  REQUIRE_FALSE(deletions.empty());
  execute_lines(deletions);
  CHECK(whitelist.texts("network") == Words{program.path() + "|p<100>"});
  CHECK(program.outcome() == Outcome::mixed);
}

TEST_CASE("whitelist: who changes it is told") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const LiveProgram program{daemon};
  const std::string rule = program.path() + "|p<4711>";
  // What is said of the rule once CHANGE has been made.
  const auto told_of = [&](const std::function<void()> &change, Milliseconds within) {
    const std::size_t before = whitelist.changes().size();
    change();
    std::string found;
    CHECK(eventually(within, [&] {
      const auto changes = whitelist.changes();
      for (std::size_t at = before; at < changes.size(); ++at) {
        const auto detail = changes[at].at("detail").get<std::string>();
        if (contains(detail, rule)) found = detail;
      }
      return !found.empty();
    }));
    return found;
  };
  for (const Words &words : {Words{"add", rule}, {"del", rule}, {"replace", rule}, {"clear"}}) {
    const std::string detail = told_of([&] { whitelist.must(words); }, seconds{5});
    CAPTURE(words.front());
    CAPTURE(detail);
    CHECK(contains(detail, "user 0"));
  }
  if (const std::string reason = no_bpftool(daemon); !reason.empty()) return skip(reason);
  const std::string bytes = whitelist.must({"encode", rule});
  // A second, and the way into the database on a busy machine.
  told_of([&] { execute_lines(bytes); }, Milliseconds{1500});
  told_of([&] { execute_lines(deletion_of(bytes)); }, Milliseconds{1500});
}

TEST_CASE("whitelist: a list that was saved is the same when it is read") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const TemporaryDirectory directory;
  const Words network{"/usr/sbin/sshd|i<127.0.0.1>|p<22>", "/no/such: program #1|lp<1-1023>|k<connect,close>",
                      "*|i<2001:db8::/32>|u<65534>"};
  const Words exec{"/usr/bin/ls|-l /tmp", "/usr/bin/id|u<65534>|'quoted' \"twice\"", "*|u<65534>"};
  whitelist.ask({{"verb", "replace"}, {"network", network}, {"exec", exec}});
  const Path saved = directory.path() / "saved.yml";
  write_file(saved, whitelist.must({"list", "--save"}));
  whitelist.must({"clear"});
  CHECK(whitelist.rules().empty());
  whitelist.must({"replace", "--from", saved.string()});
  CHECK(sorted(whitelist.texts("network")) == sorted(network));
  CHECK(sorted(whitelist.texts("exec")) == sorted(exec));
}

TEST_CASE("whitelist: a mistake in the file leaves the rules in force") {
  const TemporaryDirectory directory;
  const Path first = copy_of_oracle(directory.path(), "first");
  const Path second = copy_of_oracle(directory.path(), "second");
  const auto drop_in = [](const std::string &rule) {
    return whitelist_options("whitelist: {include-root: true, network: [\"" + rule + "\"], exec: [\"" + rule +
                             "\"]}\n")
        .drop_in;
  };
  Daemon daemon{{drop_in(first)}};
  const Whitelist whitelist{daemon};
  const auto reload = [&](const std::string &rule) {
    write_file(Path{daemon.prepared().configuration.string() + ".d"} / "50-scenario.yml", drop_in(rule));
    daemon.process().signal(SIGHUP);
  };
  CHECK(outcome_of(daemon.rows(), deed_of(first)) == Outcome::dropped);
  CHECK(outcome_of(daemon.rows(), deed_of(second)) == Outcome::stored);
  reload(second.string() + "|p<0>");
  CHECK(eventually(seconds{10}, [&] { return contains(daemon.process().err(), "p<0>"); }));
  // The verb reads the file too, and refuses it.
  const Json in_force = whitelist.ask({{"verb", "list"}}).at("rules");
  REQUIRE(in_force.size() == 2);
  for (const Json &rule : in_force) CHECK(rule.at("rule") == first.string());
  CHECK(outcome_of(daemon.rows(), deed_of(first)) == Outcome::dropped);
  reload(second);
  CHECK(eventually(seconds{10}, [&] { return whitelist.texts("exec") == Words{second.string()}; }));
  CHECK(outcome_of(daemon.rows(), deed_of(first)) == Outcome::stored);
  CHECK(outcome_of(daemon.rows(), deed_of(second)) == Outcome::dropped);
  CHECK(daemon.stop().status == 0);
}

TEST_CASE("whitelist: rules for every program hide nothing from the self-test") {
  const TemporaryDirectory directory;
  const Prepared prepared =
      prepare(directory.path(), {"whitelist: {include-root: true, network: \"*\", exec: \"*\"}\n"});
  apply_schema(prepared);
  Process daemon{daemon_launch("run", prepared.configuration)};
  REQUIRE(eventually(seconds{30}, [&] { return contains(daemon.err() + daemon.out(), "ready"); }));
  const std::string said = daemon.out() + daemon.err();
  CAPTURE(said);
  CHECK_FALSE(contains(said, "not ready"));
  CHECK_FALSE(contains(said, "silent"));
  daemon.signal(SIGTERM);
  CHECK(daemon.wait(seconds{20}) == 0);
}

}  // namespace iptrackd::scenario
