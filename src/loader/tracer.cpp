#include "loader/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <optional>
#include <utility>

#include "iptrackd.skel.h"
#include "loader/attach.h"
#include "loader/libbpf_log.h"

namespace iptrackd::loader {

struct DestroySkeleton {
  void operator()(iptrackd_bpf *skeleton) const noexcept { iptrackd_bpf__destroy(skeleton); }
};
using Skeleton = std::unique_ptr<iptrackd_bpf, DestroySkeleton>;

namespace {

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

Result<Skeleton> open_skeleton(const TracerOptions &options) {
  Skeleton skeleton{iptrackd_bpf__open()};
  if (!skeleton) return fail(Fault::environment, "cannot prepare the BPF programs: " + libbpf_log_take());
  set_knobs(*skeleton, options);
  const auto ring_bytes = static_cast<std::uint32_t>(options.ring_bytes / 2);
  const auto slots = static_cast<std::uint32_t>(libbpf_num_possible_cpus()) * scratch_slots;
  bpf_map__set_max_entries(skeleton->maps.exec_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_ring, ring_bytes);
  bpf_map__set_max_entries(skeleton->maps.network_scratches, slots);
  bpf_map__set_max_entries(skeleton->maps.exec_scratches, slots);
  return skeleton;
}

// Loads the programs for which WANTED says so.
template <typename Wanted>
Result<Skeleton> load_programs(const TracerOptions &options, Wanted wanted) {
  auto skeleton = open_skeleton(options);
  if (!skeleton) return skeleton;
  bpf_program *program = nullptr;
  bpf_object__for_each_program(program, (*skeleton)->obj) {
    bpf_program__set_autoload(program, wanted(std::string_view{bpf_program__name(program)}));
  }
  const int error = iptrackd_bpf__load(skeleton->get());
  if (error == 0) return skeleton;
  const std::string reason = libbpf_log_take();
  return reason.empty() ? Result<Skeleton>{fail_errno("the kernel refuses the BPF programs", -error)}
                        : fail(Fault::environment, reason);
}

// One refused program makes the whole object fail. Then each is tried alone, to learn which are refused and
// why.
void find_refused(const TracerOptions &options, std::vector<HookStatus> &hooks) {
  for (HookStatus &status : hooks) {
    if (status.state != HookState::attached) continue;
    const auto alone =
        load_programs(options, [&](std::string_view name) { return name == status.hook->program; });
    if (alone) continue;
    status.state = HookState::refused;
    status.reason = alone.error().message();
  }
}

std::vector<HookStatus> choose_hooks(const TracerOptions &options) {
  std::vector<HookStatus> hooks;
  for (const Hook &hook : all_hooks()) {
    HookStatus status{&hook, HookState::attached, {}};
    if (!hook.wanted(options.probes)) status.state = HookState::disabled;
    hooks.push_back(std::move(status));
  }
  return hooks;
}

Result<Skeleton> load_chosen(const TracerOptions &options, const std::vector<HookStatus> &hooks) {
  return load_programs(options, [&](std::string_view name) {
    return std::any_of(hooks.begin(), hooks.end(), [&](const HookStatus &status) {
      return status.hook->program == name && status.state == HookState::attached;
    });
  });
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
};

Tracer::Tracer(std::unique_ptr<Parts> parts) noexcept : parts_{std::move(parts)} {}
Tracer::~Tracer() = default;

Result<std::unique_ptr<Tracer>> Tracer::start(const TracerOptions &options) {
  libbpf_log_install();
  auto hooks = choose_hooks(options);
  auto skeleton = load_chosen(options, hooks);
  if (!skeleton) {
    if (const auto reason = obstacle()) return fail(Fault::environment, *reason);
    find_refused(options, hooks);
    skeleton = load_chosen(options, hooks);
    if (!skeleton) return tl::unexpected{skeleton.error()};
  }
  auto exec_ring = Ring::map(bpf_map__fd((*skeleton)->maps.exec_ring), options.ring_bytes / 2);
  if (!exec_ring) return tl::unexpected{exec_ring.error()};
  auto network_ring = Ring::map(bpf_map__fd((*skeleton)->maps.network_ring), options.ring_bytes / 2);
  if (!network_ring) return tl::unexpected{network_ring.error()};

  auto links = attach_hooks(*(*skeleton)->obj, hooks);
  if (!links) return tl::unexpected{links.error()};
  auto parts = std::make_unique<Parts>(Parts{std::move(*skeleton), std::move(*exec_ring),
                                             std::move(*network_ring), std::move(hooks), std::move(*links)});
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
