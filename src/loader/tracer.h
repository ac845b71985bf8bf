// Tracer: the kernel side, loaded and attached. Its rings and counters are what user space sees of it.
//
// Hooks are chosen by trying: the preferred ones are loaded and attached together; where the kernel refuses
// that, each is tried alone, and the plan is made again without those that it refused. With a pin directory
// it outlives the daemon (takeover.h); else everything is detached and freed with the Tracer.
#ifndef IPTRACKD_LOADER_TRACER_H
#define IPTRACKD_LOADER_TRACER_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/result.h"
#include "iptrackd/wire.h"
#include "loader/arrival.h"
#include "loader/hooks.h"
#include "loader/plan.h"
#include "loader/ring.h"
#include "loader/self_test_witness.h"
#include "loader/whitelist_maps.h"

namespace iptrackd::loader {

// Events since the start by kind and cause, summed over the CPUs (IPTRACKD_KIND_*, IPTRACKD_CAUSE_*).
using KernelCounters = std::array<std::array<std::uint64_t, IPTRACKD_CAUSE_COUNT>, IPTRACKD_KIND_COUNT>;
// "ring-full", "no-scratch", …: the word in iptrackd.loss.
[[nodiscard]] std::string_view cause_name(std::size_t cause) noexcept;

// Of one program since its start.
struct HookCounters {
  std::uint64_t hits = 0;
  // Runs that the kernel left out, as the program or a map was in use on that CPU. None: this kernel does not
  // count them for this kind of program.
  std::optional<std::uint64_t> misses;
};

// Events that a user was over its budget with, by kind.
struct UserRefusals {
  std::uint32_t uid;
  std::array<std::uint64_t, IPTRACKD_KIND_COUNT> refused;
};

struct TracerOptions {
  Probes probes;
  Choice mechanism = Choice::automatic;
  std::uint32_t args_max_bytes = 4096;  // 100 to IPTRACKD_ARGS_MAX
  std::uint32_t user_budget = 100'000;  // execs a second for each user, and as many other events; 0: no limit
  std::size_t ring_bytes = 16U << 20;   // of both rings together; a power of two
  bool count_instructions = false;      // see HookStatus
  bool whole_host = true;               // refuse to start where only a container would be seen
  std::string pin_directory = {};       // empty: the kernel side ends with the Tracer, whatever becomes of it
  bool keep_on_exit = true;             // it goes on when the Tracer ends in order, too
};

// Takes out what a daemon has left pinned in DIRECTORY; false: there was nothing. Fault environment: a daemon
// uses it, or it is not root's alone.
[[nodiscard]] Result<bool> remove_pins(const std::string &directory);

class Tracer {
 public:
  // Loads and attaches what OPTIONS want. Fails (environment) only when nothing can work: no BTF, no
  // privilege, not a single hook accepted.
  [[nodiscard]] static Result<std::unique_ptr<Tracer>> start(const TracerOptions &options);
  ~Tracer();
  Tracer(const Tracer &) = delete;
  Tracer &operator=(const Tracer &) = delete;

  [[nodiscard]] const std::vector<HookStatus> &hooks() const noexcept;
  static constexpr std::size_t own_rings = 2;
  // exec, network, and rings of a set before that are to be emptied, until forget_older_rings().
  [[nodiscard]] std::span<Ring> rings() noexcept;
  void forget_older_rings();
  // How the kernel side came to be, and why it does not outlive the daemon; empty: it does, or need not.
  [[nodiscard]] Arrival arrival() const noexcept;
  [[nodiscard]] const std::string &no_pins() const noexcept;
  // Attached hooks that this kernel cannot keep without a daemon, though all others are.
  [[nodiscard]] std::vector<const HookStatus *> unkept_hooks() const;
  // Tells counters() of one life of the kernel side from those of another.
  [[nodiscard]] std::uint32_t counters_id() const;
  // Does the kernel let the calling thread look into the maps?
  [[nodiscard]] bool can_read_maps() const;
  // Thread-safe.
  [[nodiscard]] KernelCounters counters() const;
  // Those users that have any; what counters() says of the cause OVER_BUDGET, by user. Thread-safe.
  [[nodiscard]] std::vector<UserRefusals> refusals_by_user() const;
  // Thread-safe; all zero for hooks that are not attached.
  [[nodiscard]] std::array<HookCounters, IPTRACKD_HOOK_COUNT> hook_counters() const;

  // The whitelist's maps; as long as the Tracer lives.
  [[nodiscard]] WhitelistMaps whitelist_maps() const;

  // From now on the events of the process TGID, as the initial pid namespace numbers it, carry
  // IPTRACKD_FLAG_SELF_TEST, and hooks note that they saw it; 0 ends that. One thread at a time.
  void watch_self_test(std::uint32_t tgid) noexcept;
  [[nodiscard]] bool saw_self_test(iptrackd_hook hook) const noexcept;
  void forget_self_test() noexcept;
  // Whoever drains the rings shows it every record.
  [[nodiscard]] SelfTestWitness &witness() noexcept;
  // The daemon ends. With keep_on_exit the kernel side goes on, and what its rings take up waits for the next
  // daemon; else there are no further events, and nothing stays pinned.
  void leave() noexcept;
  // The daemon does not start after all: what was attached anew for it ends with the Tracer; what was there
  // before goes on.
  void abandon() noexcept;

  // The reader says that it goes to sleep: the next event makes ring_fds() readable.
  void set_reader_asleep(bool asleep) noexcept;
  [[nodiscard]] std::array<int, 2> ring_fds() const noexcept;

 private:
  struct Parts;
  explicit Tracer(std::unique_ptr<Parts> parts) noexcept;
  std::unique_ptr<Parts> parts_;
};

}  // namespace iptrackd::loader

#endif
