// What the daemon keeps of its privileges once it is ready, and what others may do with what it made.
#include <doctest/doctest.h>
#include <linux/capability.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <sstream>

#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

// "CapEff" and the like of /proc/PID/task/TID/status.
std::string field(const Path &status, const std::string &name) {
  std::ifstream lines{status};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words{line};
    std::string key, value;
    words >> key >> value;
    if (key == name + ":") return value;
  }
  return {};
}

// Without these, kernels before 5.19 show no map.
constexpr std::uint64_t for_maps = 1ULL << CAP_BPF | 1ULL << CAP_PERFMON;

struct Own {
  const char *name;  // below the daemon's directory
  bool is_directory;
};
constexpr Own own_paths[]{{"pam.fifo", false}, {"control.sock", false}, {"spool", true}};

std::string refusal(const Prepared &prepared) {
  Process daemon{daemon_launch("run", prepared.configuration)};
  CHECK(daemon.wait(std::chrono::seconds{30}) == 1);
  return daemon.err();
}

}  // namespace

TEST_CASE("confinement: no thread of a daemon that is ready has a capability") {
  const Daemon daemon;
  const Path tasks = "/proc/" + std::to_string(daemon.process().pid()) + "/task";
  std::size_t threads = 0;
  for (const auto &task : std::filesystem::directory_iterator{tasks}) {
    const Path status = task.path() / "status";
    CAPTURE(field(status, "Name"));
    CHECK((std::stoull(field(status, "CapEff"), nullptr, 16) & ~for_maps) == 0);
    CHECK(field(status, "CapPrm") == field(status, "CapEff"));
    CHECK(field(status, "CapBnd") == "0000000000000000");
    CHECK(field(status, "CapInh") == "0000000000000000");
    CHECK(field(status, "CapAmb") == "0000000000000000");
    CHECK(field(status, "NoNewPrivs") == "1");
    CHECK(field(status, "Seccomp") == "2");
    ++threads;
  }
  CHECK(threads >= 8);
}

TEST_CASE("confinement: nobody opens what the daemon made") {
  const Daemon daemon;
  REQUIRE(chmod(daemon.directory().c_str(), 0755) == 0);
  std::vector<Path> paths;
  for (const Own &own : own_paths) paths.push_back(daemon.directory() / own.name);
  if (has_pins(daemon.prepared())) paths.push_back(daemon.prepared().pins);
  for (const Path &path : paths) {
    CAPTURE(path.string());
    REQUIRE(std::filesystem::exists(path));
    for (const char *option : {"-r", "-w"}) {
      Launch launch;
      launch.arguments = {"/bin/test", option, path.string()};
      CHECK(run(launch).status == 0);
      launch.user = uid_of_nobody;
      CHECK(run(launch).status == 1);
    }
  }
}

TEST_CASE("confinement: a link or a foreign file in the place of what is its own is refused") {
  for (const Own &own : own_paths) {
    for (const bool is_link : {true, false}) {
      CAPTURE(own.name);
      CAPTURE(is_link);
      const TemporaryDirectory directory;
      const Prepared prepared = prepare(directory.path(), {});
      apply_schema(prepared);
      const Path path = directory.path() / own.name;
      std::filesystem::remove_all(path);
      const Path foreign = directory.path() / "foreign";
      if (own.is_directory) {
        std::filesystem::create_directory(foreign);
      } else {
        write_file(foreign, "of somebody else");
      }
      if (is_link) {
        std::filesystem::create_symlink(foreign, path);
      } else {
        std::filesystem::rename(foreign, path);
        REQUIRE(chown(path.c_str(), uid_of_nobody, uid_of_nobody) == 0);
      }
      const std::string said = refusal(prepared);
      CAPTURE(said);
      CHECK(said.find(own.name) != std::string::npos);
      CHECK(std::filesystem::exists(path));
    }
  }
}

TEST_CASE("confinement: a link or a foreign directory in the place of the pins is refused") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  std::filesystem::create_directory(prepared.pins);
  REQUIRE(chown(prepared.pins.c_str(), uid_of_nobody, uid_of_nobody) == 0);
  CHECK(refusal(prepared).find(prepared.pins.string()) != std::string::npos);
  std::filesystem::remove(prepared.pins);
  std::filesystem::create_directory_symlink(directory.path(), prepared.pins);
  CHECK(refusal(prepared).find(prepared.pins.string()) != std::string::npos);
  std::filesystem::remove(prepared.pins);
}

}  // namespace iptrackd::scenario
