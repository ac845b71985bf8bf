#include "loader/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "loader/choose.h"
#include "loader/kernel_types.h"
#include "loader/libbpf_log.h"

namespace iptrackd::loader {
namespace {

constexpr std::array<std::string_view, IPTRACKD_CAUSE_COUNT> cause_names{
    "submitted", "ring-full", "no-scratch", "map-full", "fd-raced", "unseen"};

// The commonest reasons for which nothing can work, in words that say what to do.
std::optional<std::string> obstacle() {
  if (geteuid() != 0) return "loading BPF programs needs root (or CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN)";
  if (access("/sys/kernel/btf/vmlinux", R_OK) != 0) {
    return "this kernel has no BTF (/sys/kernel/btf/vmlinux); it must be built with CONFIG_DEBUG_INFO_BTF=y";
  }
  return std::nullopt;
}

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

struct Tracer::Parts {
  Attached attached;
  Ring exec_ring;
  Ring network_ring;
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
  auto attached = attach_best(options, *types);
  if (!attached) return tl::unexpected{attached.error()};
  auto exec_ring = Ring::map(bpf_map__fd(attached->skeleton->maps.exec_ring), options.ring_bytes / 2);
  if (!exec_ring) return tl::unexpected{exec_ring.error()};
  auto network_ring = Ring::map(bpf_map__fd(attached->skeleton->maps.network_ring), options.ring_bytes / 2);
  if (!network_ring) return tl::unexpected{network_ring.error()};
  std::unique_ptr<Parts> parts{new Parts{std::move(*attached), std::move(*exec_ring),
                                         std::move(*network_ring), counts_tracepoint_misses(*types)}};
  return std::unique_ptr<Tracer>{new Tracer{std::move(parts)}};
}

const std::vector<HookStatus> &Tracer::hooks() const noexcept {
  return parts_->attached.hooks;
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
  const int map = bpf_map__fd(parts_->attached.skeleton->maps.counters);
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
  for (const HookStatus &status : parts_->attached.hooks) {
    if (status.state != HookState::attached) continue;
    const std::uint32_t key = status.hook->number;
    auto &[hits, misses] = counters.at(key);
    if (bpf_map_lookup_elem(bpf_map__fd(parts_->attached.skeleton->maps.hits), &key, values.data()) == 0) {
      hits = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
    }
    misses = misses_of(*parts_->attached.skeleton->obj, status, parts_->counts_tracepoint_misses);
  }
  return counters;
}

void Tracer::watch_self_test(std::uint32_t tgid) noexcept {
  std::atomic_ref{parts_->attached.skeleton->bss->self_test_tgid}.store(tgid);
}

void Tracer::forget_self_test() noexcept {
  auto &seen = parts_->attached.skeleton->bss->self_test_seen;
  std::fill(std::begin(seen), std::end(seen), 0);
}

bool Tracer::saw_self_test(iptrackd_hook hook) const noexcept {
  return std::atomic_ref{parts_->attached.skeleton->bss->self_test_seen[hook]}.load() != 0;
}

SelfTestWitness &Tracer::witness() noexcept {
  return parts_->witness;
}

void Tracer::detach() noexcept {
  parts_->attached.links.clear();
}

void Tracer::set_reader_asleep(bool asleep) noexcept {
  std::atomic_ref{parts_->attached.skeleton->bss->reader_asleep}.store(asleep ? 1 : 0);
}

std::array<int, 2> Tracer::ring_fds() const noexcept {
  return {bpf_map__fd(parts_->attached.skeleton->maps.exec_ring),
          bpf_map__fd(parts_->attached.skeleton->maps.network_ring)};
}

}  // namespace iptrackd::loader
