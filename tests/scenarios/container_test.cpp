// What the control group tells: the container and the batch job of an event, and what a user could have made
// up.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <fstream>
#include <system_error>

#include "control_groups.h"
#include "daemon.h"
#include "deed.h"
#include "mounts.h"
#include "podman.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

constexpr uid_t unprivileged = 65534;
const std::string container_id = "feedc0de" + std::string(56, '0');

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

// Deeds in a group at PATH, of which root owns all, must have JOB.
void check_job(const Path &ground, const Path &path, const std::string &job) {
  const Group group{ground, path};
  check_deed(in_group(group.path()), with("job", job));
}

}  // namespace

TEST_CASE("container: events of a podman container carry its id") {
  if (!has_podman()) return skip("there is no podman here");
  const Podman podman{settings().programs, "oracle"};
  check_deed(podman.launch({"--pid=host", "--cgroupns=host"}, {"/oracle", "all"}), [&](Json &event) {
    CHECK(podman.id().size() == 64);
    event["container"] = podman.id();
  });
}

TEST_CASE("container: pids and control groups of a private container are the host's") {
  if (!has_podman()) return skip("there is no podman here");
  const Podman podman{settings().programs, "oracle"};
  // The host's /proc tells the oracle its pid on the host; its control group it sees as the root.
  check_deed(podman.launch({"--volume=/proc:/proc"}, {"/oracle", "all"}), [&](Json &event) {
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

TEST_CASE("container: a forged job is not believed however deep it is entered") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  const Group users{ground, "system.slice/iptrackd_slurmstepd.scope"};
  users.give_to(unprivileged);
  const Group group{users.path(), "job_1/1/2/3/4/5/6/7/8/9"};
  check_deed(in_group(group.path()));
}

TEST_CASE("container: control groups however deep") {
  const Path ground = hierarchy(true);
  if (ground.empty()) return skip("no unified hierarchy is mounted");
  Path path = "iptrackd";
  for (int depth = 2; depth <= 18; ++depth) {
    CAPTURE(depth);
    path /= std::to_string(depth);
    const Group group{ground, path};
    check_deed(in_group(group.path()));
  }
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
