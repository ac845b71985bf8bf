#include "loader/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "iptrackd.skel.h"
#include "loader/attach.h"
#include "loader/kernel_types.h"
#include "loader/libbpf_log.h"
#include "loader/planted_fault.h"

namespace iptrackd::loader {

struct DestroySkeleton {
  void operator()(iptrackd_bpf *skeleton) const noexcept { iptrackd_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<iptrackd_bpf, DestroySkeleton>;

namespace {

constexpr std::size_t smallest_rings = 8192;
constexpr std::uint32_t scratch_slots = 4;  // SCRATCH_SLOTS in bpf/maps.h

constexpr std::array<std::string_view, IPTRACKD_CAUSE_COUNT> cause_names{
    "submitted", "ring-full", "no-scratch", "map-full", "fd-raced", "unseen"};

void set_knobs(iptrackd_bpf &skeleton, const TracerOptions &options) {
  auto &knobs = *skeleton.rodata;
  knobs.args_max_bytes = options.args_max_bytes;
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
}

Result<Skeleton> open_skeleton(const TracerOptions &options, const KernelTypes &types) {
  Skeleton skeleton{iptrackd_bpf__open()};
  if (!skeleton) return fail(Fault::environment, "cannot prepare the BPF programs: " + libbpf_log_take());
  set_knobs(*skeleton, options);
  const auto ring_bytes = static_cast<std::uint32_t>(options.ring_bytes / 2);
  const auto slots = static_cast<std::uint32_t>(libbpf_num_possible_cpus()) * scratch_slots;
  bpf_map__set_max_entries(skeleton->maps.exec_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_scratches, slots);
  bpf_map__set_max_entries(skeleton->maps.exec_scratches, slots);
  if (!types.has_member("bpf_htab", "ma")) preallocate_maps(*skeleton, {});
  return skeleton;
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
  static constexpr std::size_t log_bytes = 4096;
  static constexpr std::uint32_t statistics_only = 4;  // BPF_LOG_STATS in the kernel's bpf_verifier.h
  std::map<std::string, std::string, std::less<>> logs_;
};

// Loads those programs of HOOKS that are to be attached.
Result<Skeleton> load_programs(const TracerOptions &options, const KernelTypes &types,
                               std::vector<HookStatus> &hooks) {
  auto skeleton = open_skeleton(options, types);
  if (!skeleton) return skeleton;
  VerifierLogs logs;
  for (const HookStatus &status : hooks) {
    auto *program =
        bpf_object__find_program_by_name((*skeleton)->obj, std::string{status.hook->program}.c_str());
    bpf_program__set_autoload(program, status.state == HookState::attached);
    if (options.count_instructions) logs.ask(program);
  }
  const int error = iptrackd_bpf__load(skeleton->get());
  if (error == 0) {
    for (HookStatus &status : hooks) status.verified_instructions = logs.instructions(status.hook->program);
    return skeleton;
  }
  const std::string reason = libbpf_log_take();
  return reason.empty() ? Result<Skeleton>{fail_errno("the kernel refuses the BPF programs", -error)}
                        : fail(Fault::environment, reason);
}

// Why this kernel refuses the program of HOOKS[chosen], tried alone.
std::optional<std::string> try_alone(const TracerOptions &options, const KernelTypes &types,
                                     std::vector<HookStatus> hooks, std::size_t chosen) {
  TracerOptions small = options;
  small.ring_bytes = smallest_rings;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    if (i != chosen) hooks[i].state = HookState::spare;
  }
  const auto loaded = load_programs(small, types, hooks);
  if (!loaded) return loaded.error().message();
  Refusals refusals;
  (void)attach_hooks(*(*loaded)->obj, hooks, refusals);
  return refusals.empty() ? std::nullopt : std::optional{refusals.begin()->second};
}

// One refused program makes the whole object fail. Then each is tried alone, to learn which are refused and
// why. A kernel that has refused this many of those that need trampolines, and taken none, has none.
constexpr int convincing_refusals = 2;

void try_each(const TracerOptions &options, const KernelTypes &types, const std::vector<HookStatus> &hooks,
              Refusals &refusals) {
  int refused_trampolines = 0;
  bool has_trampolines = false;
  for (std::size_t i = 0; i < hooks.size(); ++i) {
    const HookStatus &status = hooks[i];
    if (status.state != HookState::attached) continue;
    const bool is_fentry = status.hook->mechanism == Mechanism::fentry;
    if (is_fentry && !has_trampolines && refused_trampolines == convincing_refusals) {
      refusals.emplace(status.hook->number, "not tried: this kernel has no BPF trampolines");
      continue;
    }
    const auto reason = try_alone(options, types, hooks, i);
    if (reason) refusals.emplace(status.hook->number, *reason);
    if (is_fentry) reason ? void(++refused_trampolines) : void(has_trampolines = true);
  }
}

// Every hook with the place where it hangs, as its program's section names it.
Result<std::vector<HookStatus>> list_hooks(const TracerOptions &options, const KernelTypes &types) {
  const auto skeleton = open_skeleton(options, types);
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

Refusals misfits(const std::vector<HookStatus> &hooks, const KernelTypes &types) {
  Refusals refusals;
  for (const HookStatus &status : hooks) {
    if (auto reason = misfit(*status.hook, status, types)) refusals.emplace(status.hook->number, *reason);
  }
  return refusals;
}

struct Attached {
  Skeleton skeleton;
  std::vector<Link> links;
};

// Each round either succeeds, or has found something that this kernel refuses and plans without it.
Result<Attached> attach_best(const TracerOptions &options, const KernelTypes &types,
                             std::vector<HookStatus> &hooks) {
  Refusals refusals = misfits(hooks, types);
  for (;;) {
    const auto known = refusals.size();
    plan_hooks(hooks, options.probes, options.mechanism, refusals);
    auto skeleton = load_programs(options, types, hooks);
    std::vector<Link> links;
    if (skeleton) {
      links = attach_hooks(*(*skeleton)->obj, hooks, refusals);
    } else {
      try_each(options, types, hooks, refusals);
      if (refusals.size() == known) return tl::unexpected{skeleton.error()};
    }
    if (refusals.size() == known) {
      if (links.empty())
        return fail(Fault::environment, "the kernel accepts no hook: " + hooks.front().reason);
      return Attached{std::move(*skeleton), std::move(links)};
    }
  }
}

// The commonest reasons for which nothing can work, in words that say what to do.
std::optional<std::string> obstacle() {
  if (geteuid() != 0) return "loading BPF programs needs root (or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)";
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return "this kernel has no BTF (/sys/kernel/btf/vmlinux); it must be built with CONFIG_DEBUG_INFO_BTF=y";
  }
  return std::nullopt;
}

}  // namespace

namespace {

// 6.7 began to count the runs that perf-event programs miss (9bc421b6be95 "bpf: Count missed stats in
// trace_call_bpf"), and in the same series gave bpf_link_info a member for others.
bool counts_tracepoint_misses(const KernelTypes &types) {
  return types.function("bpf_kprobe_multi_link_fill_link_info").has_value();
}

// recursion_misses is in what the kernel tells since 5.12; a kernel that knows less returns less.
std::optional<std::uint64_t> misses_of(const bpf_object &object, const HookStatus &status,
                                       bool with_tracepoints) {
  if (status.mechanism() == "tracepoint" && !with_tracepoints) return std::nullopt;
  const auto *program = bpf_object__find_program_by_name(&object, std::string{status.hook->program}.c_str());
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &size) != 0) return std::nullopt;
  constexpr auto needed = offsetof(bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses);
  if (size < needed) return std::nullopt;
  return info.recursion_misses;
}

}  // namespace

std::string_view cause_name(std::size_t cause) noexcept {
  return cause_names.at(cause);
}

// The order of the members is that of their making: links go before what they hang on.
struct Tracer::Parts {
  Skeleton skeleton;
  Ring exec_ring;
  Ring network_ring;
  std::vector<HookStatus> hooks;
  std::vector<Link> links;
  bool counts_tracepoint_misses = false;
  SelfTestWitness witness{};
};

Tracer::Tracer(std::unique_ptr<Parts> parts) noexcept : parts_{std::move(parts)} {}
Tracer::~Tracer() = default;

Result<std::unique_ptr<Tracer>> Tracer::start(const TracerOptions &options) {
  libbpf_log_install();
  if (const auto reason = obstacle()) return fail(Fault::environment, *reason);
  const auto types = KernelTypes::running();
  if (!types) return tl::unexpected{types.error()};
  auto hooks = list_hooks(options, *types);
  if (!hooks) return tl::unexpected{hooks.error()};
  auto attached = attach_best(options, *types, *hooks);
  if (!attached) return tl::unexpected{attached.error()};
  auto exec_ring = Ring::map(bpf_map__fd(attached->skeleton->maps.exec_ring), options.ring_bytes / 2);
  if (!exec_ring) return tl::unexpected{exec_ring.error()};
  auto network_ring = Ring::map(bpf_map__fd(attached->skeleton->maps.network_ring), options.ring_bytes / 2);
  if (!network_ring) return tl::unexpected{network_ring.error()};
  std::unique_ptr<Parts> parts{new Parts{std::move(attached->skeleton), std::move(*exec_ring),
                                         std::move(*network_ring), std::move(*hooks),
                                         std::move(attached->links), counts_tracepoint_misses(*types)}};
  return std::unique_ptr<Tracer>{new Tracer{std::move(parts)}};
}

const std::vector<HookStatus> &Tracer::hooks() const noexcept {
  return parts_->hooks;
}
Ring &Tracer::exec_ring() noexcept {
  return parts_->exec_ring;
}
Ring &Tracer::network_ring() noexcept {
  return parts_->network_ring;
}

KernelCounters Tracer::counters() const {
  KernelCounters sums{};
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<std::uint64_t> values(cpus);
  const int map = bpf_map__fd(parts_->skeleton->maps.counters);
  for (std::uint32_t key = 0; key < IPTRACKD_KIND_COUNT * IPTRACKD_CAUSE_COUNT; ++key) {
    if (bpf_map_lookup_elem(map, &key, values.data()) != 0) continue;
    auto &sum = sums.at(key / IPTRACKD_CAUSE_COUNT).at(key % IPTRACKD_CAUSE_COUNT);
    for (const auto value : values) sum += value;
  }
  return sums;
}

std::array<HookCounters, IPTRACKD_HOOK_COUNT> Tracer::hook_counters() const {
  std::array<HookCounters, IPTRACKD_HOOK_COUNT> counters{};
  std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (const HookStatus &status : parts_->hooks) {
    if (status.state != HookState::attached) continue;
    const std::uint32_t key = status.hook->number;
    auto &[hits, misses] = counters.at(key);
    if (bpf_map_lookup_elem(bpf_map__fd(parts_->skeleton->maps.hits), &key, values.data()) == 0) {
      hits = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
    }
    misses = misses_of(*parts_->skeleton->obj, status, parts_->counts_tracepoint_misses);
  }
  return counters;
}

void Tracer::watch_self_test(std::uint32_t tgid) noexcept {
  std::atomic_ref{parts_->skeleton->bss->self_test_tgid}.store(tgid);
}

void Tracer::forget_self_test() noexcept {
  auto &seen = parts_->skeleton->bss->self_test_seen;
  std::fill(std::begin(seen), std::end(seen), 0);
}

bool Tracer::saw_self_test(iptrackd_hook hook) const noexcept {
  return std::atomic_ref{parts_->skeleton->bss->self_test_seen[hook]}.load() != 0;
}

SelfTestWitness &Tracer::witness() noexcept {
  return parts_->witness;
}

void Tracer::detach() noexcept {
  parts_->links.clear();
}

void Tracer::set_reader_asleep(bool asleep) noexcept {
  std::atomic_ref{parts_->skeleton->bss->reader_asleep}.store(asleep ? 1 : 0);
}

std::array<int, 2> Tracer::ring_fds() const noexcept {
  return {bpf_map__fd(parts_->skeleton->maps.exec_ring), bpf_map__fd(parts_->skeleton->maps.network_ring)};
}

}  // namespace iptrackd::loader
