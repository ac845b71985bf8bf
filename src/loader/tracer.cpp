#include "loader/tracer.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <iterator>
#include <numeric>
#include <optional>
#include <utility>

#include "loader/kernel_types.h"
#include "loader/libbpf_log.h"
#include "loader/surroundings.h"
#include "loader/takeover.h"

namespace iptrackd::loader {
namespace {

constexpr std::array<std::string_view, IPTRACKD_CAUSE_COUNT> cause_names{
    "submitted", "ring-full", "no-scratch", "map-full", "fd-raced", "unseen", "over-budget", "whitelisted"};

// The commonest reasons for which nothing can work, in words that say what to do.
std::optional<std::string> obstacle() {
  if (geteuid() != 0) return "loading BPF programs needs root";
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
std::optional<std::uint64_t> misses_of(const Fd &program) {
  bpf_prog_info info{};
  std::uint32_t size = sizeof(info);
  if (bpf_obj_get_info_by_fd(program.get(), &info, &size) != 0) return std::nullopt;
  constexpr auto needed = offsetof(bpf_prog_info, recursion_misses) + sizeof(info.recursion_misses);
  if (size < needed) return std::nullopt;
  return info.recursion_misses;
}

}  // namespace

std::string_view cause_name(std::size_t cause) noexcept {
  return cause_names.at(cause);
}

Result<bool> remove_pins(const std::string &directory) {
  if (access(directory.c_str(), F_OK) != 0 && errno == ENOENT) return false;
  const auto pins = PinDirectory::open(directory);
  if (!pins) return tl::unexpected{pins.error()};
  pins->remove();
  return true;
}

struct Tracer::Parts {
  Installation installation;
  bool keep_on_exit = true;
  bool counts_tracepoint_misses = false;
  SelfTestWitness witness{};

  [[nodiscard]] iptrackd_bpf &skeleton() const { return *installation.set.skeleton; }
  [[nodiscard]] const HookStatus &status_of(iptrackd_hook number) const {
    const auto &hooks = installation.set.hooks;
    return *std::find_if(hooks.begin(), hooks.end(),
                         [number](const HookStatus &status) { return status.hook->number == number; });
  }
};

Tracer::Tracer(std::unique_ptr<Parts> parts) noexcept : parts_{std::move(parts)} {}
Tracer::~Tracer() {
  leave();
}

Result<std::unique_ptr<Tracer>> Tracer::start(const TracerOptions &options) {
  libbpf_log_install();
  if (const auto reason = obstacle()) return fail(Fault::environment, *reason);
  if (options.whole_host) {
    if (const auto whole = check_surroundings(); !whole) return tl::unexpected{whole.error()};
  }
  const auto types = KernelTypes::running();
  if (!types) return tl::unexpected{types.error()};
  auto installation = install(options, *types);
  if (!installation) return tl::unexpected{installation.error()};
  std::unique_ptr<Parts> parts{
      new Parts{std::move(*installation), options.keep_on_exit, counts_tracepoint_misses(*types)}};
  return std::unique_ptr<Tracer>{new Tracer{std::move(parts)}};
}

const std::vector<HookStatus> &Tracer::hooks() const noexcept {
  return parts_->installation.set.hooks;
}

std::span<Ring> Tracer::rings() noexcept {
  return parts_->installation.rings;
}

void Tracer::forget_older_rings() {
  forget_older(parts_->installation);
}

Arrival Tracer::arrival() const noexcept {
  return parts_->installation.arrival;
}

const std::string &Tracer::no_pins() const noexcept {
  return parts_->installation.no_pins;
}

std::vector<const HookStatus *> Tracer::unkept_hooks() const {
  std::vector<const HookStatus *> unkept;
  if (!parts_->installation.pins) return unkept;
  for (const AttachedHook &hook : parts_->installation.set.attached) {
    if (!hook.link || bpf_link__pin_path(hook.link.get()) != nullptr) continue;
    unkept.push_back(&parts_->status_of(hook.number));
  }
  return unkept;
}

std::uint32_t Tracer::counters_id() const {
  bpf_map_info info{};
  std::uint32_t size = sizeof(info);
  (void)bpf_obj_get_info_by_fd(bpf_map__fd(parts_->skeleton().maps.counters), &info, &size);
  return info.id;
}

bool Tracer::can_read_maps() const {
  constexpr std::uint32_t only_key = 0;
  std::uint32_t generation = 0;
  return bpf_map_lookup_elem(bpf_map__fd(parts_->skeleton().maps.generation), &only_key, &generation) == 0;
}

KernelCounters Tracer::counters() const {
  KernelCounters sums{};
  const auto cpus = static_cast<std::size_t>(libbpf_num_possible_cpus());
  std::vector<std::uint64_t> values(cpus);
  const int map = bpf_map__fd(parts_->skeleton().maps.counters);
  for (std::uint32_t key = 0; key < IPTRACKD_KIND_COUNT * IPTRACKD_CAUSE_COUNT; ++key) {
    if (bpf_map_lookup_elem(map, &key, values.data()) != 0) continue;
    auto &sum = sums.at(key / IPTRACKD_CAUSE_COUNT).at(key % IPTRACKD_CAUSE_COUNT);
    for (const auto value : values) sum += value;
  }
  return sums;
}

std::vector<UserRefusals> Tracer::refusals_by_user() const {
  // struct budget of bpf/maps.h: three numbers stand before those that are wanted.
  constexpr std::size_t first = 3;
  std::vector<UserRefusals> users;
  const int map = bpf_map__fd(parts_->skeleton().maps.budgets);
  std::array<std::uint64_t, first + IPTRACKD_KIND_COUNT> budget{};
  std::uint32_t uid = 0;
  for (void *previous = nullptr; bpf_map_get_next_key(map, previous, &uid) == 0; previous = &uid) {
    if (bpf_map_lookup_elem(map, &uid, budget.data()) != 0) continue;
    UserRefusals user{uid, {}};
    std::copy(budget.begin() + first, budget.end(), user.refused.begin());
    const auto is_zero = [](std::uint64_t count) { return count == 0; };
    if (!std::all_of(user.refused.begin(), user.refused.end(), is_zero)) users.push_back(user);
  }
  return users;
}

std::array<HookCounters, IPTRACKD_HOOK_COUNT> Tracer::hook_counters() const {
  std::array<HookCounters, IPTRACKD_HOOK_COUNT> counters{};
  std::vector<std::uint64_t> values(static_cast<std::size_t>(libbpf_num_possible_cpus()));
  for (const HookStatus &status : hooks()) {
    if (status.state != HookState::attached) continue;
    const std::uint32_t key = status.hook->number;
    if (bpf_map_lookup_elem(bpf_map__fd(parts_->skeleton().maps.hits), &key, values.data()) == 0) {
      counters.at(key).hits = std::accumulate(values.begin(), values.end(), std::uint64_t{0});
    }
  }
  for (const AttachedHook &hook : parts_->installation.set.attached) {
    const bool is_tracepoint = parts_->status_of(hook.number).mechanism() == "tracepoint";
    if (!is_tracepoint || parts_->counts_tracepoint_misses) {
      counters.at(hook.number).misses = misses_of(hook.program);
    }
  }
  return counters;
}

WhitelistMaps Tracer::whitelist_maps() const {
  const auto &pins = parts_->installation.pins;
  if (!pins) return {parts_->skeleton(), {}, {}};
  return {parts_->skeleton(), pins->path(), pins->pin(parts_->installation.set.number, "")};
}

void Tracer::watch_self_test(std::uint32_t tgid) noexcept {
  std::atomic_ref{parts_->skeleton().bss->self_test_tgid}.store(tgid);
}

void Tracer::forget_self_test() noexcept {
  auto &seen = parts_->skeleton().bss->self_test_seen;
  std::fill(std::begin(seen), std::end(seen), 0);
}

bool Tracer::saw_self_test(iptrackd_hook hook) const noexcept {
  return std::atomic_ref{parts_->skeleton().bss->self_test_seen[hook]}.load() != 0;
}

SelfTestWitness &Tracer::witness() noexcept {
  return parts_->witness;
}

void Tracer::leave() noexcept {
  Installation &installation = parts_->installation;
  if (installation.pins && parts_->keep_on_exit) {
    leave_to_pins(installation.set);
    return;
  }
  installation.set.attached.clear();
  if (installation.pins) installation.pins->remove();
}

void Tracer::abandon() noexcept {
  if (parts_->installation.arrival == Arrival::fresh) parts_->keep_on_exit = false;
}

void Tracer::set_reader_asleep(bool asleep) noexcept {
  std::atomic_ref{parts_->skeleton().bss->reader_asleep}.store(asleep ? 1 : 0);
}

std::array<int, 2> Tracer::ring_fds() const noexcept {
  return {bpf_map__fd(parts_->skeleton().maps.exec_ring), bpf_map__fd(parts_->skeleton().maps.network_ring)};
}

}  // namespace iptrackd::loader
