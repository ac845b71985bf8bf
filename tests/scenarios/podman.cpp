#include "podman.h"

#include <linux/capability.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "control_groups.h"
#include "mounts.h"

namespace iptrackd::scenario {
namespace {

// In the unified hierarchy crun limits devices by a BPF program, and raises RLIMIT_MEMLOCK for it; where that
// is refused only version 1 is left.
bool needs_version_1() {
  return prctl(PR_CAPBSET_READ, CAP_SYS_RESOURCE) == 0 && !hierarchy(false).empty();
}

// It wants one kind of hierarchy, and nothing else.
void show_groups(bool version_1, const Path &unified) {
  enter_own_mounts();
  if (!version_1) return mount_anew("cgroup2", "/sys/fs/cgroup");
  must(unified.empty() || umount2(unified.c_str(), MNT_DETACH) == 0);
}

}  // namespace

Podman::Podman(const Path &root, const Path &program, Devices devices)
    : by_version_1_{devices == Devices::limited && needs_version_1()} {
  const Path archive = path("image.tar");
  Launch tar;
  tar.arguments = {"/bin/tar", "-C", root, "-cf", archive, program};
  if (run(tar).status != 0) throw std::runtime_error{"no image was made"};
  const Ended ended = run(podman({"import", archive, "program:1"}));
  if (ended.status != 0) throw std::runtime_error{"podman import: " + ended.err};
}

// Its own groups, where no other container is in them.
Podman::~Podman() {
  for (const char *group : {"libpod_parent/conmon", "libpod_parent"}) {
    rmdir((hierarchy(true) / group).c_str());
    if (!by_version_1_) continue;
    for (const auto &of_controller : std::filesystem::directory_iterator{hierarchy(false).parent_path()})
      rmdir((of_controller.path() / group).c_str());
  }
}

Launch Podman::launch(const Words &options, const Words &words) const {
  return run_image({"--cidfile", path("id"), "--privileged"}, options, words);
}

Launch Podman::launch_confined(const std::string &name, const Words &options, const Words &words) const {
  return run_image({"--name", name}, options, words);
}

bool Podman::kill(const std::string &name) const {
  return run(podman({"kill", "--signal=KILL", name})).status == 0;
}

// Its limits are set here because the machine may allow no more.
Launch Podman::run_image(const Words &first, const Words &options, const Words &words) const {
  Words all{"run",
            "--rm",
            "--uts=host",
            "--network=host",
            "--cgroups=enabled",
            "--pids-limit=0",
            "--ulimit=nofile=1000:1000",
            "--ulimit=nproc=1000:1000"};
  all.insert(all.end(), first.begin(), first.end());
  all.insert(all.end(), options.begin(), options.end());
  all.emplace_back("program:1");
  all.insert(all.end(), words.begin(), words.end());
  return podman(all);
}

std::string Podman::id() const {
  std::ifstream file{path("id")};
  std::string id;
  file >> id;
  return id;
}

Launch Podman::podman(const Words &words) const {
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
  launch.prepare = [version_1 = by_version_1_, unified = hierarchy(true)] {
    show_groups(version_1, unified);
  };
  return launch;
}

bool has_podman() {
  return access("/usr/bin/podman", X_OK) == 0;
}

}  // namespace iptrackd::scenario
