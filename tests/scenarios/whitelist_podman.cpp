#include "whitelist_podman.h"

#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <stdexcept>

#include "whitelist_ruled.h"

namespace iptrackd::scenario {
namespace {

// Podman wants the unified hierarchy there, and nothing else.
void see_unified_hierarchy() {
  enter_own_mounts();
  (void)umount2("/sys/fs/cgroup", MNT_DETACH);
  must(mount("cgroup2", "/sys/fs/cgroup", "cgroup2", 0, nullptr) == 0);
}

}  // namespace

WhitelistPodman::WhitelistPodman(const Path &program) {
  const std::string archive = directory_.path() / "image.tar";
  Launch tar;
  tar.arguments = {"/bin/tar", "-C", "/", "-cf", archive, program.relative_path()};
  if (run(tar).status != 0) throw std::runtime_error{"no image was made"};
  const Ended ended = run(launch({"import", archive, "program:1"}));
  if (ended.status != 0) throw std::runtime_error{"podman import: " + ended.err};
}

// Its limits are set here because the machine may allow no more.
Launch WhitelistPodman::launch_of(const Words &words) const {
  Words all{"run",
            "--rm",
            "--privileged",
            "--pid=host",
            "--uts=host",
            "--network=host",
            "--cgroupns=host",
            "--cgroups=enabled",
            "--pids-limit=0",
            "--ulimit=nofile=1000:1000",
            "--ulimit=nproc=1000:1000",
            "program:1"};
  all.insert(all.end(), words.begin(), words.end());
  return launch(all);
}

Launch WhitelistPodman::launch(const Words &words) const {
  const auto path = [&](const char *name) { return (directory_.path() / name).string(); };
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

bool has_podman() {
  return access("/usr/bin/podman", X_OK) == 0;
}

}  // namespace iptrackd::scenario
