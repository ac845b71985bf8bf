#include "loader/workload.h"

#include <doctest/doctest.h>

#include <random>
#include <string>
#include <utility>
#include <vector>

using iptrackd::loader::ControlGroup;
using iptrackd::loader::Workload;
using iptrackd::loader::workload_of;

namespace {

using Name = std::optional<std::string>;
using Paths = std::vector<std::pair<std::string, Name>>;

const std::string id(64, 'a');
const std::string other = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

// All of PATH is root's.
ControlGroup roots(std::string_view path) {
  return {path, path.size()};
}

// Only TRUSTED, the beginning of PATH, is root's.
ControlGroup partly(std::string_view path, std::string_view trusted) {
  REQUIRE(path.starts_with(trusted));
  return {path, trusted.size()};
}

Workload in_unified(const ControlGroup &group) {
  return workload_of(group, {});
}

void check_containers(const Paths &paths) {
  for (const auto &known : paths) {
    const std::string_view path = known.first;
    const auto &expected = known.second;
    CAPTURE(path);
    const Workload found = in_unified(roots(path));
    CHECK(found.container == expected);
    CHECK_FALSE(found.job.has_value());
    CHECK_FALSE(found.container_delegated);
  }
}

void check_jobs(const Paths &paths) {
  for (const auto &known : paths) {
    const std::string_view path = known.first;
    const auto &expected = known.second;
    CAPTURE(path);
    CHECK(in_unified(roots(path)).job == expected);
    CHECK(workload_of(roots("/system.slice/ssh.service"), roots(path)).job == expected);
  }
}

}  // namespace

TEST_CASE("the engines' containers are known by their ids") {
  check_containers({
      {"/system.slice/docker-" + id + ".scope", id},
      {"/system.slice/docker-" + id + ".scope/init.scope", id},
      {"/docker/" + id, id},
      {"/machine.slice/libpod-" + id + ".scope/container", id},
      {"/libpod_parent/libpod-" + id, id},
      {"/system.slice/web.service/libpod-payload-" + id, id},
      {"/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope", id},
      {"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod1.slice/crio-" + id + ".scope", id},
      {"/kubepods/besteffort/pod1_2/crio-" + id, id},
      {"/kubepods/burstable/pod12-34/" + id, id},
      {"/kubelet/kubepods/pod12-34/" + id + "/supervised", id},
      {"/system.slice/containerd.service/kubepods-pod1.slice:cri-containerd:" + id, id},
      {"/k8s.io/" + id, id},
      {"/default/" + id, id},
  });
}

TEST_CASE("machines and Apptainer's are known by their names") {
  check_containers({
      {"/lxc.payload.web-1/system.slice/ssh.service", "web-1"},
      {"/lxc.payload/web", "web"},
      {"/lxc/web/init.scope", "web"},
      {"/machine.slice/systemd-nspawn@my\\x2dbox.service/payload", "my-box"},
      {"/machine.slice/machine-my\\x2dbox.scope", "my-box"},
      {"/user.slice/user-1.slice/user@1.service/user.slice/apptainer-4711.scope", "apptainer-4711"},
      {"/apptainer/4711", "apptainer-4711"},
  });
}

TEST_CASE("what only looks like a container is none") {
  check_containers({
      {"", std::nullopt},
      {"/", std::nullopt},
      {"/system.slice/docker.service", std::nullopt},
      {"/machine.slice/libpod-conmon-" + id + ".scope", std::nullopt},
      {"/lxc.monitor.web", std::nullopt},
      {"/machine.slice/machine-qemu\\x2d1\\x2dvm.scope/libvirt", std::nullopt},
      {"/system.slice/machine-my.scope", std::nullopt},
      {"/docker/" + id.substr(1), std::nullopt},
      {"/docker/" + std::string(64, 'g'), std::nullopt},
      {"/system.slice/docker-" + id + "0.scope", std::nullopt},
      {"/some.slice/" + id, std::nullopt},
      {"/kubepods/burstable/" + id, std::nullopt},
      {"/pod1/" + id, std::nullopt},
      {"/lxc.payload.a b", std::nullopt},
      {"/lxc.payload.\xff", std::nullopt},
      {"/machine.slice/machine-a\\x00b.scope", std::nullopt},
      {"/machine.slice/machine-a\\x2fb.scope", std::nullopt},
      {"/apptainer/x", std::nullopt},
  });
}

TEST_CASE("of containers within one another the innermost is reported") {
  const std::string outer = "/kubepods/pod1/" + id;
  check_containers(
      {{outer + "/docker/" + other, other}, {outer + "/x/libpod-conmon-" + other + ".scope", id}});
}

TEST_CASE("a container in a user's own tree is reported as that") {
  const std::string users = "/user.slice/user-1000.slice/user@1000.service";
  const Workload rootless =
      in_unified(partly(users + "/user.slice/libpod-" + id + ".scope", "/user.slice/user-1000.slice"));
  CHECK(rootless.container == id);
  CHECK(rootless.container_delegated);

  const std::string nested = "/docker/" + id + "/docker/" + other;
  CHECK(in_unified(partly(nested, "/docker/" + id)).container == other);
  CHECK(in_unified(partly(nested, "/docker/" + id)).container_delegated);
  CHECK_FALSE(in_unified(partly("/docker/" + id + "/mine", "/docker/" + id)).container_delegated);
}

TEST_CASE("the version-1 hierarchy is asked where the unified one tells nothing that root made") {
  const std::string docker = "/docker/" + id;
  const std::string forged = "/user.slice/libpod-" + other + ".scope";
  CHECK(workload_of(roots("/"), roots(docker)).container == id);
  CHECK(workload_of(roots("/lxc/web"), roots(docker)).container == "web");
  const Workload both = workload_of(partly(forged, "/user.slice"), roots(docker));
  CHECK(both.container == id);
  CHECK_FALSE(both.container_delegated);
  const Workload neither = workload_of(partly(forged, "/user.slice"), partly(docker, ""));
  CHECK(neither.container == other);
  CHECK(neither.container_delegated);
}

TEST_CASE("jobs of Slurm") {
  check_jobs({
      {"/system.slice/slurmstepd.scope/job_123/step_batch/user/task_0", "123"},
      {"/system.slice/node7_slurmstepd.scope/job_123/step_0", "123"},
      {"/hpc.slice/hpc-batch.slice/slurmstepd.scope/job_9", "9"},
      {"/slurm/uid_1000/job_123/step_0/task_0", "123"},
      {"/slurm_node7/uid_1000/job_123", "123"},
      {"/slurm/job_123", "123"},
      {"/slurm/uid_1000/job_123+1", "123+1"},
      {"/slurm/uid_1000/job_123_4", "123_4"},
      {"/system.slice/slurmstepd.scope/system", std::nullopt},
      {"/system.slice/slurmstepd.scope/job_", std::nullopt},
      {"/system.slice/slurmstepd.scope/job_x1", std::nullopt},
      {"/system.slice/slurmstepd.scope/x/job_1", std::nullopt},
      {"/system.slice/foreign.service/slurmstepd.scope/job_1", std::nullopt},
      {"/slurm/uid_/job_1", std::nullopt},
      {"/slurm/uid_x/job_1", std::nullopt},
      {"/x/slurm/uid_1/job_1", std::nullopt},
      {"/job_1", std::nullopt},
  });
}

TEST_CASE("jobs of OpenPBS and PBS Pro and Torque") {
  check_jobs({
      {"/pbs_jobs.service/jobid/123.server", "123.server"},
      {"/pbs_jobs.service/jobs/123.server.example.org/0", "123.server.example.org"},
      {"/pbspro.service/jobid/123[4].server", "123[4].server"},
      {"/pbspro.slice/pbspro-123.my\\x2dserver.slice", "123.my-server"},
      {"/pbspro.slice/pbspro-123\\x5b4\\x5d.server.slice", "123[4].server"},
      {"/pbspro/123.server", "123.server"},
      {"/torque/123[1].server/R0.t0", "123[1].server"},
      {"/pbs_jobs.service/jobid", std::nullopt},
      {"/pbs_jobs.service/other/123.server", std::nullopt},
      {"/pbs_jobs.service/jobid/server", std::nullopt},
      {"/pbs_jobs.service/jobid/123", std::nullopt},
      {"/pbs_jobs.service/jobid/123.a b", std::nullopt},
      {"/pbspro.slice/pbspro-.slice", std::nullopt},
      {"/pbspro.slice/other-123.server.slice", std::nullopt},
      {"/torque/cpus", std::nullopt},
      {"/system.slice/torque/123.server", std::nullopt},
  });
}

TEST_CASE("slots of HTCondor") {
  check_jobs({
      {"/htcondor/condor_var_lib_condor_execute_slot1_1@host.example.org", "slot1_1@host.example.org"},
      {"/system.slice/htcondor/condor_var_lib_condor_execute_slot12@host/sshd", "slot12@host"},
      {"/system.slice/condor.service/htcondor/condor_scratch_slot1_20@host", "slot1_20@host"},
      {"/BASE_CGROUP/condor_var_lib_condor_execute_slot1@host", "slot1@host"},
      {"/htcondor/condor_var_lib_condor_execute_backfill3_1@my_host", "backfill3_1@my_host"},
      {"/htcondor/condor_var_lib_condor_execute_slot1", "slot1"},
      {"/condor_var_lib_condor_execute_slot1@host", std::nullopt},
      {"/htcondor/condor_var_lib_condor_execute_12345", std::nullopt},
      {"/htcondor/condor_", std::nullopt},
      {"/htcondor/condor_5", std::nullopt},
      {"/htcondor/condor_x_slot1@a b", std::nullopt},
      {"/system.slice/condor_shared.service", std::nullopt},
  });
}

TEST_CASE("a job in a directory that its user owns is not believed") {
  const std::string job = "/slurm/uid_1000/job_1";
  CHECK(in_unified(partly(job + "/step_0", job)).job == "1");
  CHECK_FALSE(in_unified(partly(job + "/step_0", "/slurm/uid_1000")).job.has_value());
  CHECK_FALSE(in_unified(partly("/pbs_jobs.service/jobid/1.server", "/pbs_jobs.service")).job.has_value());
  CHECK_FALSE(in_unified(partly("/system.slice/slurmstepd.scope/job_1", "")).job.has_value());
  CHECK_FALSE(workload_of({}, partly(job, "/slurm")).job.has_value());
}

TEST_CASE("HTCondor gives the slot's directory away, but not the one above it") {
  const std::string slot = "/system.slice/htcondor/condor_execute_slot1_1@host";
  CHECK(in_unified(partly(slot, "/system.slice/htcondor")).job == "slot1_1@host");
  CHECK(in_unified(partly(slot + "/mine", "/system.slice/htcondor")).job == "slot1_1@host");
  CHECK_FALSE(in_unified(partly(slot, "/system.slice")).job.has_value());
}

TEST_CASE("a container runs in a job, and no job in a container") {
  const std::string inside = "/slurm/uid_1/job_7/step_0/libpod-" + id;
  CHECK(in_unified(roots(inside)).job == "7");
  CHECK(in_unified(roots(inside)).container == id);
  const std::string outside = "/system.slice/docker-" + id + ".scope/htcondor/condor_execute_slot1@host";
  CHECK_FALSE(in_unified(roots(outside)).job.has_value());
}

TEST_CASE("random paths never harm") {
  std::mt19937 random{42};
  const std::string pieces[] = {"/",
                                "//",
                                "job_",
                                "slurm",
                                "uid_1",
                                "condor_",
                                "slot1",
                                "@",
                                "\\x",
                                "\\x2",
                                "_",
                                ".",
                                "pbs",
                                ".slice",
                                "-",
                                std::string(1, '\0'),
                                "\xff",
                                "docker",
                                ":cri-containerd:",
                                id,
                                "lxc.payload.",
                                "machine.slice",
                                "machine-",
                                ".scope",
                                ".service",
                                "jobid",
                                "1.server"};
  for (int round = 0; round < 50'000; ++round) {
    std::string path;
    for (auto count = random() % 12; count > 0; --count) path += pieces[random() % std::size(pieces)];
    // A heap block of exactly that size, so that AddressSanitizer sees one byte too many.
    const std::vector<char> exact(path.begin(), path.end());
    const std::string_view view{exact.data(), exact.size()};
    (void)workload_of({view, random() % (view.size() + 1)}, {view, view.size()});
  }
  CHECK_FALSE(in_unified(roots(std::string(4096, '/'))).container.has_value());
  CHECK_FALSE(in_unified(roots("/" + std::string(4096, 'a'))).container.has_value());
}
