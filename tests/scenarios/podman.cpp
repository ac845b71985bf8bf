#include "podman.h"

#include <unistd.h>

#include <fstream>
#include <stdexcept>

#include "control_groups.h"
#include "mounts.h"

namespace iptrackd::scenario {

Podman::Podman(const Path &root, const Path &program) {
  const Path archive = path("image.tar");
  Launch tar;
  tar.arguments = {"/bin/tar", "-C", root, "-cf", archive, program};
  if (run(tar).status != 0) throw std::runtime_error{"no image was made"};
  const Ended ended = run(podman({"import", archive, "program:1"}));
  if (ended.status != 0) throw std::runtime_error{"podman import: " + ended.err};
}

// Its own groups, where no other container is in them.
Podman::~Podman() {
  for (const char *group : {"libpod_parent/conmon", "libpod_parent"})
    rmdir((hierarchy(true) / group).c_str());
}

// Its limits are set here because the machine may allow no more.
Launch Podman::launch(const Words &options, const Words &words) const {
  Words all{"run",
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
  // It wants the unified hierarchy there, and nothing else.
  launch.prepare = [] {
    enter_own_mounts();
    mount_anew("cgroup2", "/sys/fs/cgroup");
  };
  return launch;
}

bool has_podman() {
  return access("/usr/bin/podman", X_OK) == 0;
}

}  // namespace iptrackd::scenario
