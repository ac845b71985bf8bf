#include "loader/programs.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>

#include "loader/libbpf_log.h"
#include "loader/planted_fault.h"
#include "loader/tracer.h"

namespace iptrackd::loader {
namespace {

constexpr std::uint32_t scratch_slots = 4;  // SCRATCH_SLOTS in bpf/maps.h

// /proc/cgroups: name, hierarchy, and more, a line for each controller. The unified hierarchy's number is 0;
// kernels that list only those of version 1 exist too.
bool has_version_1_cgroups() {
  std::ifstream controllers{"/proc/cgroups"};
  for (std::string line; std::getline(controllers, line);) {
    std::istringstream words{line};
    std::string name;
    unsigned hierarchy = 0;
    if (words >> name >> hierarchy && hierarchy != 0) return true;
  }
  return false;
}

void set_knobs(iptrackd_bpf &skeleton, const TracerOptions &options) {
  auto &knobs = *skeleton.rodata;
  knobs.user_budget = options.user_budget;
  knobs.args_max_bytes = options.args_max_bytes;
  knobs.has_version_1_cgroups = has_version_1_cgroups();
  knobs.want_exec = options.probes.exec;
  knobs.want_tcp_connect = options.probes.tcp_connect;
  knobs.want_tcp_accept = options.probes.tcp_accept;
  knobs.want_tcp_bind = options.probes.tcp_bind;
  knobs.want_tcp_close = options.probes.tcp_close;
  knobs.want_udp_connect = options.probes.udp_connect;
  knobs.want_udp_bind = options.probes.udp_bind;
  knobs.want_udp_close = options.probes.udp_close;
}

// What the maps hold where memory for their entries cannot be taken as it is needed.
struct PreallocatedSizes {
  std::uint32_t processes = 16384;
  std::uint32_t long_paths = 256;
  std::uint32_t calls = 8192;
  std::uint32_t sockets = 131072;
  std::uint32_t attempts = 8192;
  std::uint32_t long_attempts = 128;
  std::uint32_t budgets = 8192;
  std::uint32_t whitelist_programs = 16384;
  std::uint32_t whitelist_rules = 32768;
};

// Before 6.1 a map that allocates while a tracing program runs could deadlock, and the kernel warns of it
// with a stack trace (bpf_mem_alloc came with 96da3f7d489d "bpf: Remove tracing program restriction on map
// types").
void preallocate_maps(iptrackd_bpf &skeleton, const PreallocatedSizes &sizes) {
  const auto resize = [](bpf_map *map, std::uint32_t entries) {
    bpf_map__set_map_flags(map, bpf_map__map_flags(map) & ~static_cast<std::uint32_t>(BPF_F_NO_PREALLOC));
    bpf_map__set_max_entries(map, entries);
  };
  resize(skeleton.maps.processes, sizes.processes);
  resize(skeleton.maps.long_paths, sizes.long_paths);
  resize(skeleton.maps.calls, sizes.calls);
  resize(skeleton.maps.sockets, sizes.sockets);
  resize(skeleton.maps.attempts, sizes.attempts);
  resize(skeleton.maps.long_attempts, sizes.long_attempts);
  resize(skeleton.maps.budgets, sizes.budgets);
  resize(skeleton.maps.whitelist_programs_even, sizes.whitelist_programs);
  resize(skeleton.maps.whitelist_programs_odd, sizes.whitelist_programs);
  resize(skeleton.maps.whitelist_network_even, sizes.whitelist_rules);
  resize(skeleton.maps.whitelist_network_odd, sizes.whitelist_rules);
  resize(skeleton.maps.whitelist_exec_even, sizes.whitelist_rules / 2);
  resize(skeleton.maps.whitelist_exec_odd, sizes.whitelist_rules / 2);
}

// What the verifier says of each program, if it is asked to.
class VerifierLogs {
 public:
  void ask(bpf_program *program) {
    auto &log = logs_[bpf_program__name(program)];
    log.resize(log_bytes);
    bpf_program__set_log_level(program, statistics_only);
    bpf_program__set_log_buf(program, log.data(), log.size());
  }

  // "processed 31366 insns (limit 1000000) max_states_per_insn ..."
  [[nodiscard]] std::optional<std::uint64_t> instructions(std::string_view program) const {
    constexpr std::string_view before = "processed ";
    const auto log = logs_.find(program);
    if (log == logs_.end()) return std::nullopt;
    const auto begin = log->second.find(before);
    if (begin == std::string::npos) return std::nullopt;
    return std::strtoull(log->second.c_str() + begin + before.size(), nullptr, 10);
  }

 private:
  static constexpr std::size_t log_bytes = 65536;
  static constexpr std::uint32_t statistics_only = 4;  // BPF_LOG_STATS in the kernel's bpf_verifier.h
  std::map<std::string, std::string, std::less<>> logs_;
};

}  // namespace

Result<Skeleton> open_programs(const TracerOptions &options, const KernelTypes &types) {
  Skeleton skeleton{iptrackd_bpf__open()};
  if (!skeleton) return fail(Fault::environment, "cannot prepare the BPF programs: " + libbpf_log_take());
  set_knobs(*skeleton, options);
  const auto ring_bytes = static_cast<std::uint32_t>(options.ring_bytes / 2);
  const auto slots = static_cast<std::uint32_t>(libbpf_num_possible_cpus()) * scratch_slots;
  bpf_map__set_max_entries(skeleton->maps.exec_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_scratches, slots);
  bpf_map__set_max_entries(skeleton->maps.exec_scratches, slots);
  bpf_map__set_max_entries(skeleton->maps.whitelist_questions, 2 * slots);
  if (!types.has_member("bpf_htab", "ma")) preallocate_maps(*skeleton, {});
  return skeleton;
}

Result<std::vector<HookStatus>> list_hooks(const TracerOptions &options, const KernelTypes &types) {
  const auto skeleton = open_programs(options, types);
  if (!skeleton) return tl::unexpected{skeleton.error()};
  std::vector<HookStatus> hooks;
  for (const Hook &hook : all_hooks()) {
    const auto *program =
        bpf_object__find_program_by_name((*skeleton)->obj, std::string{hook.program}.c_str());
    if (program == nullptr)
      return fail(Fault::environment, "there is no BPF program " + std::string{hook.program});
    HookStatus status{&hook, bpf_program__section_name(program), HookState::disabled, {}};
    if (has_fault("misnamed", hook.program)) status.target += "_with_a_planted_fault";
    hooks.push_back(std::move(status));
  }
  return hooks;
}

Result<void> load_programs(iptrackd_bpf &skeleton, const TracerOptions &options,
                           std::vector<HookStatus> &hooks) {
  VerifierLogs logs;
  for (const HookStatus &status : hooks) {
    auto *program = bpf_object__find_program_by_name(skeleton.obj, std::string{status.hook->program}.c_str());
    bpf_program__set_autoload(program, status.state == HookState::attached);
    if (options.count_instructions) logs.ask(program);
  }
  const int error = iptrackd_bpf__load(&skeleton);
  if (error == 0) {
    for (HookStatus &status : hooks) status.verified_instructions = logs.instructions(status.hook->program);
    return {};
  }
  const std::string reason = libbpf_log_take();
  return reason.empty() ? fail_errno("the kernel refuses the BPF programs", -error)
                        : fail(Fault::environment, reason);
}

}  // namespace iptrackd::loader
