// Workload: which container and which batch job a control group's path names. Pure: paths in, names out.
//
// A path is what it says only as far as root made it. A user to whom a subtree was given (systemd's
// Delegate=, and each user's own manager) may make a directory of any name in it.
//
//   container
//     docker-ID.scope, /docker/ID                          Docker, by either cgroup driver
//     libpod-ID.scope, libpod-ID, libpod-payload-ID        Podman, likewise, and with --cgroups=split
//     cri-containerd-ID.scope, crio-ID.scope, crio-ID      Kubernetes
//     SLICE:cri-containerd:ID                              Kubernetes, where the drivers disagree
//     /kubepods/.../podUID/ID                              Kubernetes, driver cgroupfs
//     /default/ID, /k8s.io/ID                              containerd, namespaces of its clients
//     lxc.payload.NAME, lxc.payload/NAME, /lxc/NAME        LXC 4, 3, 2; LXD and Incus
//     machine.slice/{systemd-nspawn@NAME.service, machine-NAME.scope}  but qemu's, which is no container
//     apptainer-PID.scope, /apptainer/PID                  shown as apptainer-PID; Enroot makes no group
//   ID is 64 hexadecimal digits. The supervisors' groups (libpod-conmon-ID.scope, lxc.monitor.NAME) are none.
//
//   job
//     [SLICES]/[NODE_]slurmstepd.scope/job_N               Slurm, version 2
//     /slurm*/uid_U/job_N, /slurm*/job_N                   Slurm, version 1
//     /pbs*.service/{jobid,jobs}/N.SERVER                  OpenPBS and PBS Pro, version 1 and 2
//     /pbs*.slice/pbs*-N.SERVER.slice, /pbspro/N.SERVER    PBS Pro before 2020, with and without systemd
//     /torque/N.SERVER                                     Torque
//     .../BASE_CGROUP/condor_EXECUTE_SLOT                  HTCondor; EXECUTE is its directory of jobs
//
// Sources: Slurm's src/plugins/cgroup/{v1,v2}, and CgroupPrepend and CgroupSlice in cgroup.conf(5); OpenPBS's
// src/hooks/cgroups/pbs_cgroups.PY and its history; Torque's src/resmom/trq_cgroups.c; HTCondor's
// src/condor_starter.V6.1/vanilla_proc.cpp and src/condor_utils/proc_family_direct_cgroup_v2.cpp.
#ifndef IPTRACKD_LOADER_WORKLOAD_H
#define IPTRACKD_LOADER_WORKLOAD_H

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace iptrackd::loader {

struct ControlGroup {
  std::string_view path;    // "/system.slice/ssh.service"; empty where it is unknown
  std::size_t trusted = 0;  // bytes of path, from its beginning, whose directories root owns
};

struct Workload {
  std::optional<std::string> container;  // the innermost one; one that root made is preferred
  std::optional<std::string> job;        // "123", "123.server", "slot1_1@host"
  bool container_delegated = false;      // the container stands beyond what root owns
};

// UNIFIED is the task's group in version 2, VERSION_1 that of a version-1 hierarchy.
[[nodiscard]] Workload workload_of(const ControlGroup &unified, const ControlGroup &version_1);

}  // namespace iptrackd::loader

#endif
