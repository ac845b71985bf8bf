// Which file a rule means: its path is a notation for the file that stands there, whatever it is called, and
// for the one that takes its place.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <thread>

#include "skip.h"
#include "whitelist.h"
#include "whitelist_ruled.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

// As long as the daemon may take to notice that a file was replaced.
constexpr Milliseconds notice{2000};

ino_t inode_of(const Path &path) {
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  return status.st_ino;
}

// A service that waits for a word before it does its deed, as a daemon that an upgrade leaves running.
class OldProcess {
 public:
  OldProcess(Ruled &ruled, const std::string &name)
      : ruled_{ruled}, go_on_{ruled.directory() / name}, process_{launch()} {
    REQUIRE(eventually(seconds{20}, [&] { return std::filesystem::exists(go_on_.string() + ".ready"); }));
    // Its start is no part of the deed.
    wait_for_rows(ruled.rows());
    since_ = now_us();
  }
  [[nodiscard]] Outcome outcome() {
    write_file(go_on_, "");
    REQUIRE_MESSAGE(process_.wait(seconds{20}) == 0, process_.err());
    return outcome_of(ruled_.rows(), process_.out(), since_);
  }

 private:
  [[nodiscard]] Launch launch() const {
    Launch launch = deed_of(ruled_.path());
    launch.arguments.push_back("until=" + go_on_.string());
    return launch;
  }

  Ruled &ruled_;
  Path go_on_;
  Process process_;
  std::int64_t since_ = 0;
};

// A new file takes the place of the ruled one, as package managers do it. Returns where the old one went.
Path upgrade(const Ruled &ruled) {
  const Path next = copy_of_oracle(ruled.directory(), "next");
  const Path old = ruled.directory() / "old";
  std::filesystem::create_hard_link(ruled.path(), old);
  std::filesystem::rename(next, ruled.path());
  return old;
}

}  // namespace

TEST_CASE("whitelist: a hard link is the same file") {
  Ruled ruled;
  const Path link = ruled.directory() / "link";
  std::filesystem::create_hard_link(ruled.path(), link);
  CHECK(ruled.outcome(link) == Outcome::dropped);
}

TEST_CASE("whitelist: a symbolic link in the deed means the file behind it") {
  Ruled ruled;
  const Path link = ruled.directory() / "link";
  std::filesystem::create_symlink(ruled.path(), link);
  CHECK(ruled.outcome(link) == Outcome::dropped);
}

TEST_CASE("whitelist: a symbolic link in the rule means the file behind it") {
  Ruled ruled{"link"};
  CHECK(ruled.outcome(ruled.directory() / "program") == Outcome::dropped);
  // It names another file now.
  const Path other = copy_of_oracle(ruled.directory(), "other");
  CHECK(ruled.outcome(other) == Outcome::stored);
  std::filesystem::create_symlink(other, ruled.directory() / "next");
  std::filesystem::rename(ruled.directory() / "next", ruled.path());
  CHECK(eventually(notice, [&] { return ruled.outcome(other) == Outcome::dropped; }));
}

TEST_CASE("whitelist: a copy is another file") {
  Ruled ruled;
  CHECK(ruled.outcome(copy_of_oracle(ruled.directory(), "copy")) == Outcome::stored);
}

TEST_CASE("whitelist: a process that is older than the rule") {
  Ruled ruled;
  ruled.take_rules_out();
  OldProcess old{ruled, "go-on"};
  ruled.rule();
  CHECK(old.outcome() == Outcome::dropped);
}

TEST_CASE("whitelist: a process whose file is renamed") {
  Ruled ruled;
  OldProcess soon{ruled, "soon"};
  OldProcess late{ruled, "late"};
  std::filesystem::rename(ruled.path(), ruled.directory() / "elsewhere");
  CHECK(soon.outcome() == Outcome::dropped);
  std::this_thread::sleep_for(notice);
  CHECK(late.outcome() == Outcome::dropped);
}

TEST_CASE("whitelist: a process whose file is deleted") {
  Ruled ruled;
  OldProcess old{ruled, "go-on"};
  std::filesystem::remove(ruled.path());
  std::this_thread::sleep_for(notice);
  CHECK(old.outcome() == Outcome::dropped);
}

TEST_CASE("whitelist: an upgrade leaves neither the old processes nor the new ones without the rule") {
  Ruled ruled;
  OldProcess soon{ruled, "soon"};
  OldProcess late{ruled, "late"};
  const Path old = upgrade(ruled);
  CHECK(soon.outcome() == Outcome::dropped);
  CHECK(eventually(notice, [&] { return ruled.outcome(ruled.path()) == Outcome::dropped; }));
  CHECK(late.outcome() == Outcome::dropped);
  // When the last of its processes is gone, the file that was there is another program.
  CHECK(eventually(seconds{5}, [&] { return ruled.outcome(old) == Outcome::stored; }));
  CHECK(ruled.outcome(ruled.path()) == Outcome::dropped);
}

TEST_CASE("whitelist: a rule for a program that comes later") {
  Ruled ruled{"program", Ruled::Begin::without_file};
  CHECK(ruled.whitelist().files(ruled.path()) == 0);
  (void)copy_of_oracle(ruled.directory(), "program");
  CHECK(eventually(notice, [&] { return ruled.outcome(ruled.path()) == Outcome::dropped; }));
  CHECK(ruled.whitelist().files(ruled.path()) == 1);
}

// The daemon has no capability that opens it.
TEST_CASE("whitelist: a program behind a door that is closed to root is told of") {
  const Daemon &daemon = whitelist_daemon();
  Ruled ruled;
  const Path door = ruled.directory() / "door";
  std::filesystem::create_directory(door);
  const Path early = copy_of_oracle(door, "early");
  const Path late = copy_of_oracle(door, "late");
  const auto shut = [&](bool is_shut) {
    REQUIRE(chown(door.c_str(), is_shut ? uid_of_nobody : 0, 0) == 0);
    REQUIRE(chmod(door.c_str(), is_shut ? 0700 : 0755) == 0);
  };
  ruled.rule(early);
  CHECK(ruled.outcome(early) == Outcome::dropped);
  shut(true);
  ruled.rule(late);
  CHECK(ruled.outcome(late) == Outcome::stored);
  const auto is_told = [&] { return daemon.said().find(late.string() + ": ") != std::string::npos; };
  CHECK(eventually(notice, is_told));
  std::this_thread::sleep_for(notice);
  // What it was when the daemon looked last it may still be.
  CHECK(ruled.outcome(early) == Outcome::dropped);
  const std::string list = ruled.whitelist().must({"list"});
  CHECK(list.find("it cannot be looked at: " + late.string() + ": late: Permission denied") !=
        std::string::npos);
  shut(false);
  CHECK(eventually(notice, [&] { return ruled.outcome(late) == Outcome::dropped; }));
}

TEST_CASE("whitelist: a reused inode number does not inherit the rule") {
  Ruled ruled;
  const ino_t inode = inode_of(ruled.path());
  std::filesystem::remove(ruled.path());
  Path heir;
  for (int attempt = 0; attempt < 200 && heir.empty(); ++attempt) {
    const Path file = copy_of_oracle(ruled.directory(), "file-" + std::to_string(attempt));
    if (inode_of(file) == inode) heir = file;
  }
  if (heir.empty()) return skip("this file system gave the inode number to none of 200 new files");
  CHECK(ruled.outcome(heir) == Outcome::stored);
  std::this_thread::sleep_for(notice);
  CHECK(ruled.outcome(heir) == Outcome::stored);
}

TEST_CASE("whitelist: a copy in memory is another file") {
  Ruled ruled;
  const Fd copy = ruled.copy_in_memory();
  CHECK(ruled.outcome("/proc/self/fd/" + std::to_string(copy.get())) == Outcome::stored);
}

}  // namespace iptrackd::scenario
