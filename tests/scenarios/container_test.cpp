// What the control group tells: the container and the batch job of an event, and what a user could have made
// up.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <sstream>
#include <system_error>

#include "daemon.h"
#include "deed.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

constexpr uid_t unprivileged = 65534;
const std::string container_id = "feedc0de" + std::string(56, '0');

std::string slurp(const Path &file) {
  std::ifstream stream{file};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

// Where a hierarchy is mounted: the unified one, or one of version 1 with any of the controllers that batch
// systems use. Empty: nowhere.
Path hierarchy(bool unified) {
  std::ifstream mounts{"/proc/self/mounts"};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string device, where, type, options;
    words >> device >> where >> type >> options;
    if (unified && type == "cgroup2") return where;
    if (!unified && type == "cgroup" && ("," + options + ",").find(",freezer,") != std::string::npos)
      return where;
  }
  return {};
}

// The kernel empties a group a moment after its last process was waited for.
void remove_group(const Path &group) {
  (void)eventually(std::chrono::seconds{5}, [&] { return rmdir(group.c_str()) == 0 || errno != EBUSY; });
}

// A control group below GROUND and, where they are missing, those above it; they are removed at the end.
class Group {
 public:
  Group(Path ground, const Path &path) : leaf_{std::move(ground)} {
    for (const Path &component : path) {
      leaf_ /= component;
      if (mkdir(leaf_.c_str(), 0755) == 0) made_.push_back(leaf_);
      REQUIRE(std::filesystem::is_directory(leaf_));
    }
  }
  ~Group() {
    // What a user made in it goes too.
    std::error_code ignored;
    for (const auto &entry : std::filesystem::directory_iterator{leaf_, ignored})
      if (entry.is_directory()) remove_group(entry.path());
    while (!made_.empty()) {
      remove_group(made_.back());
      made_.pop_back();
    }
  }
  Group(const Group &) = delete;
  Group &operator=(const Group &) = delete;

  [[nodiscard]] const Path &path() const { return leaf_; }
  void give_to(uid_t user) const {
    for (const Path &file : {leaf_, leaf_ / "cgroup.procs"}) REQUIRE(chown(file.c_str(), user, user) == 0);
  }

 private:
  Path leaf_;
  std::vector<Path> made_;
};

// For Launch::prepare, which cannot report.
void must(bool done) {
  if (!done) _exit(125);
}

void enter(const Path &group) {
  std::ofstream processes{group / "cgroup.procs"};
  must(static_cast<bool>(processes << getpid() << std::flush));
}

Launch in_group(const Path &group) {
  Launch launch = oracle({"all"});
  launch.prepare = [group] { enter(group); };
  return launch;
}

// The oracle in a group called NAME that a process of nobody made in GROUP, which is nobody's.
Launch in_own_group_of_nobody(const Path &group, const std::string &name) {
  Launch launch = oracle({"all"});
  launch.user = unprivileged;
  launch.prepare = [group, own = group / name] {
    enter(group);
    must(setresuid(unprivileged, unprivileged, 0) == 0 && mkdir(own.c_str(), 0755) == 0);
    enter(own);
    must(setresuid(0, 0, 0) == 0);
  };
  return launch;
}

Adjust with(const std::string &column, const Json &value) {
  return [=](Json &event) { event[column] = value; };
}

// Podman with storage of its own and one image, which holds nothing but the oracle.
class Podman {
 public:
  Podman() {
    const std::string archive = path("image.tar");
    Launch tar;
    tar.arguments = {"/bin/tar", "-C", settings().programs, "-cf", archive, "oracle"};
    if (run(tar).status != 0) throw std::runtime_error{"no image was made"};
    const Ended ended = run(launch({"import", archive, "oracle:1"}));
    if (ended.status != 0) throw std::runtime_error{"podman import: " + ended.err};
  }
  ~Podman() {
    // Its own groups, where no other container is in them.
    for (const char *group : {"libpod_parent/conmon", "libpod_parent"})
      rmdir((hierarchy(true) / group).c_str());
  }
  Podman(const Podman &) = delete;
  Podman &operator=(const Podman &) = delete;

  // The oracle in a container. Its limits are set here because the machine may allow no more.
  [[nodiscard]] Launch oracle_with(const Words &options) const {
    Words words{"run",
                "--rm",
                "--cidfile",
                path("id"),
                "--privileged",
                "--uts=host",
                "--network=host",
                "--cgroups=enabled",
                "--pids-limit=0",
                "--ulimit=nofile=1000:1000",
                "--ulimit=nproc=1000:1000"};
    words.insert(words.end(), options.begin(), options.end());
    for (const char *word : {"oracle:1", "/oracle", "all"}) words.emplace_back(word);
    return launch(words);
  }
  // Of the container that was started last.
  [[nodiscard]] std::string id() const { return slurp(directory_.path() / "id"); }

 private:
  [[nodiscard]] std::string path(const std::string &name) const { return directory_.path() / name; }

  [[nodiscard]] Launch launch(const Words &words) const {
    Launch launch;
    launch.program = "/usr/bin/podman";
    launch.arguments = {"podman",
                        "--root",
                        path("root"),
                        "--runroot",
                        path("run"),
                        "--tmpdir",
                        path("tmp"),
                        "--storage-driver=vfs",
                        "--cgroup-manager=cgroupfs",
                        "--events-backend=file",
                        "--runtime=crun"};
    launch.arguments.insert(launch.arguments.end(), words.begin(), words.end());
    launch.prepare = see_unified_hierarchy;
    return launch;
  }
  // Podman wants the unified hierarchy there, and nothing else.
  static void see_unified_hierarchy() {
    must(unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    (void)umount2("/sys/fs/cgroup", MNT_DETACH);
    must(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) == 0);
  }

  TemporaryDirectory directory_;
};

bool has_podman() {
  return access("/usr/bin/podman", X_OK) == 0;
}

// Deeds in a group at PATH, of which root owns all, must have JOB.
void check_job(const Path &ground, const Path &path, const std::string &job) {
  const Group group{ground, path};
  check_deed(in_group(group.path()), with("job", job));
}

}  // namespace

TEST_CASE("container: events of a podman container carry its id") {
  if (!has_podman()) return skip("there is no podman here");
  const Podman podman;
  check_deed(podman.oracle_with({"--pid=host", "--cgroupns=host"}), [&](Json &event) {
    CHECK(podman.id().size() == 64);
    event["container"] = podman.id();
  });
}

TEST_CASE("container: pids and control groups of a private container are the host's") {
  if (!has_podman()) return skip("there is no podman here");
  const Podman podman;
  // The host's /proc tells the oracle its pid on the host; its control group it sees as the root.
  check_deed(podman.oracle_with({"--volume=/proc:/proc"}), [&](Json &event) {
    CHECK(event.at("cgroup") == "/");
    event["cgroup"] = "/libpod_parent/libpod-" + podman.id();
    event["container"] = podman.id();
  });
}

TEST_CASE("container: a job of Slurm in the unified hierarchy") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  check_job(ground, "system.slice/iptrackd_slurmstepd.scope/job_4711/step_batch/user/task_0", "4711");
}

TEST_CASE("container: a job of Slurm in version 1") {
  const Path ground = hierarchy(false);
  if (ground.empty()) return skip("no hierarchy of version 1 is mounted");
  check_job(ground, "slurm_iptrackd/uid_1000/job_4712/step_0/task_0", "4712");
}

TEST_CASE("container: a job of OpenPBS in the unified hierarchy") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  check_job(ground, "pbs_iptrackd.service/jobs/4713.server", "4713.server");
}

TEST_CASE("container: a slot of HTCondor that its user owns") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  const Group group{ground, "iptrackd/htcondor/condor_var_lib_condor_execute_slot1_1@host"};
  group.give_to(unprivileged);
  check_deed(in_own_group_of_nobody(group.path(), "mine"), with("job", "slot1_1@host"));
}

TEST_CASE("container: a forged job is not believed") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  const Group group{ground, "system.slice/iptrackd_slurmstepd.scope"};
  group.give_to(unprivileged);
  check_deed(in_own_group_of_nobody(group.path(), "job_1"), [](Json &event) {
    CHECK(event.at("cgroup") == "/system.slice/iptrackd_slurmstepd.scope/job_1");
  });
}

TEST_CASE("container: a forged job is not believed in version 1 either") {
  const Path ground = hierarchy(false);
  if (ground.empty()) return skip("no hierarchy of version 1 is mounted");
  const Group group{ground, "slurm_iptrackd/uid_65534"};
  group.give_to(unprivileged);
  check_deed(in_own_group_of_nobody(group.path(), "job_1"));
}

TEST_CASE("container: an id in a user's own group is marked") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  const Group group{ground, "iptrackd-user"};
  group.give_to(unprivileged);
  check_deed(in_own_group_of_nobody(group.path(), "libpod-" + container_id), [](Json &event) {
    event["container"] = container_id;
    event["marks"] = {"delegated"};
  });
}

}  // namespace iptrackd::scenario
