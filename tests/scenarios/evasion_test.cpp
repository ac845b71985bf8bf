// Ways to hide a deed from a tracer, each with a control: what a tracer of system call entries (naive.h)
// makes of it.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "compare.h"
#include "daemon.h"
#include "evasion.h"
#include "mounts.h"
#include "shared_daemon.h"

namespace iptrackd::scenario {
namespace {

int races() {
  const char *value = std::getenv("IPTRACKD_TEST_RACES");
  return value != nullptr ? std::atoi(value) : 1000;
}

// How many of the oracle's rows are not what was reported.
template <typename Differs>
int misread(const std::vector<Json> &facts, const std::vector<Json> &reports, Differs differs) {
  int count = 0;
  for (std::size_t index = 0; index < std::min(facts.size(), reports.size()); ++index)
    count += differs(facts[index], reports[index]) ? 1 : 0;
  return count;
}

struct Race {
  Facts facts;
  NaiveReports naive;
  std::int64_t since;
};

Race race(const std::string &what) {
  (void)shared_rows();
  Naive naive{{"ring=67108864"}};
  const std::int64_t since = now_us();
  Launch launch = oracle({"race", "what=" + what, "times=" + std::to_string(races())});
  const Ended ended = run(launch, std::chrono::seconds{100});
  CAPTURE(ended.err);
  REQUIRE(ended.status == 0);
  Race raced{Json::parse(ended.out).at("events").get<Facts>(), naive.stop(), since};
  wait_for_rows(shared_rows(), std::chrono::seconds{60});
  return raced;
}

// The inode of what stands at PATH for this process.
ino_t inode_of(const Path &path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

}  // namespace

TEST_CASE("evasion: the control sees what does not hide") {
  const auto seen = watch(oracle({"close", "how=close"}));
  REQUIRE(seen);
  CHECK(seen->naive.names(seen->pid()).back() == oracle_path().string());
  const Json connect = connect_in(seen->facts);
  CHECK(seen->naive.tells_connect(connect));
  CHECK(seen->naive.tells_close(connect, client_close_in(seen->facts)));
}

TEST_CASE("evasion: an address that is rewritten while connect runs") {
  const Race raced = race("connect");
  const int pid = raced.facts.front().at("pid");
  const auto facts = of_kind(raced.facts, "connect");
  const auto rows = of_kind(shared_rows().of_processes({pid}, raced.since), "connect");
  REQUIRE(rows.size() == facts.size());
  const int wrong = misread(facts, rows, [](const Json &fact, const Json &row) {
    const auto differs = [&](const auto &column) { return row.at(column.key()) != column.value(); };
    const auto columns = fact.items();
    return std::any_of(columns.begin(), columns.end(), differs);
  });
  CHECK(wrong == 0);
  const int naive =
      misread(facts, raced.naive.calls("connect", pid), [](const Json &fact, const Json &report) {
        return report.value("port", Json{}) != fact.at("remote_port") ||
               report.value("address", Json{}) != fact.at("remote_addr");
      });
  MESSAGE("of ", facts.size(), " connects the control misread ", naive);
  CHECK(naive > 0);
}

TEST_CASE("evasion: a name and arguments that are rewritten while execve runs") {
  Race raced = race("exec");
  std::set<int> pids;
  std::map<int, Facts> rows;
  for (const Json &fact : raced.facts) pids.insert(fact.at("pid").get<int>());
  for (const Json &row : shared_rows().of_processes(pids, raced.since)) rows[row.at("pid")].push_back(row);
  int naive = 0;
  for (const Json &fact : raced.facts) {
    const int pid = fact.at("pid");
    for (const std::string &difference : differences(Facts{fact}, of_kind(rows[pid], "exec")))
      FAIL_CHECK(difference);
    const auto names = raced.naive.names(pid);
    naive += !names.empty() && names.back() != fact.at("exe") ? 1 : 0;
  }
  MESSAGE("of ", raced.facts.size(), " execs the control misread ", naive);
  CHECK(naive > 0);
}

TEST_CASE("evasion: a program behind a symbolic link") {
  const TemporaryDirectory directory;
  const Path link = directory.path() / "sshd";
  std::filesystem::create_symlink(oracle_path(), link);
  Launch launch = oracle({"self"});
  launch.program = link;
  const auto seen = watch(launch);
  REQUIRE(seen);
  CHECK(seen->facts.front().at("exe") == std::filesystem::canonical(oracle_path()).string());
  CHECK(seen->naive.names(seen->pid()).back() == link.string());
}

TEST_CASE("evasion: a program in a chroot") {
  const TemporaryDirectory directory;
  for (const char *name : {"bin", "proc"}) std::filesystem::create_directory(directory.path() / name);
  const Path copy = directory.path() / "bin" / "sshd";
  std::filesystem::copy_file(oracle_path(), copy);
  Launch launch;
  launch.arguments = {"/bin/sshd", "self"};
  launch.prepare = [&] {
    enter_own_mounts();
    bind_over("/proc", directory.path() / "proc");
    must(chroot(directory.path().c_str()) == 0 && chdir("/bin") == 0);
  };
  const auto seen = watch(launch, [&](Json &event) {
    CHECK(event.at("exe") == "/bin/sshd");
    CHECK(event.at("exe_inode") == inode_of(copy));
    event["exe"] = copy.string();
    event["cwd"] = copy.parent_path().string();
  });
  REQUIRE(seen);
  CHECK(seen->naive.names(seen->pid()).back() == "/bin/sshd");
}

TEST_CASE("evasion: a program mounted over another in a namespace of its own") {
  const TemporaryDirectory directory;
  const Path trusted = directory.path() / "sshd";
  write_file(trusted, "");
  const ino_t real = inode_of(oracle_path());
  Launch launch;
  launch.arguments = {trusted.string(), "self"};
  launch.prepare = [&] {
    enter_own_mounts();
    bind_over(oracle_path(), trusted);
  };
  const auto seen = watch(launch, [&](Json &event) {
    CHECK(event.at("exe") == trusted.string());
    CHECK(event.at("exe_inode") == real);
    CHECK(event.at("mnt_ns") != inode_of("/proc/self/ns/mnt"));
  });
  REQUIRE(seen);
  CHECK(real != inode_of(trusted));
  CHECK(seen->naive.names(seen->pid()).back() == trusted.string());
}

TEST_CASE("evasion: a connect by io_uring") {
  check_hidden_connect({"connect", "way=uring"});
}

TEST_CASE("evasion: a connect by int 0x80") {
  check_hidden_connect({"connect", "way=int80"});
}
TEST_CASE("evasion: a connect by socketcall") {
  check_hidden_connect({"connect", "way=socketcall"});
}
TEST_CASE("evasion: a connect by an x32 system call") {
  check_hidden_connect({"connect", "way=x32"});
}

}  // namespace iptrackd::scenario
