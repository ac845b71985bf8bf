// SelfTestWitness: which of the self-test's events have come out of the rings. They are noted and go no
// further: what the daemon does to test itself is not the host's activity.
#ifndef IPTRACKD_LOADER_SELF_TEST_WITNESS_H
#define IPTRACKD_LOADER_SELF_TEST_WITNESS_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "iptrackd/wire.h"
#include "loader/hooks.h"
#include "loader/self_test_ways.h"

namespace iptrackd::loader {

// Thread-safe.
class SelfTestWitness {
 public:
  // True: RECORD, as it stands in the ring, belongs to the self-test, and has been noted.
  bool note(std::span<const std::byte> record) noexcept;
  void forget() noexcept;

  // What PROBES let us expect and has not come: "UDP bind", "failed exec", ...
  [[nodiscard]] std::vector<std::string_view> missing(const Probes &probes) const;
  // Did an event come of WAY, performed at PORT?
  [[nodiscard]] bool saw(Way way, std::uint16_t port) const noexcept;

 private:
  void note_way(const iptrackd_event &event) noexcept;

  std::atomic<std::uint32_t> seen_{0};
  // Signs of what came through io_uring; more rounds than fit in here there are not.
  std::array<std::atomic<std::uint32_t>, 64> ways_{};
  std::atomic<std::size_t> ways_noted_{0};
};

}  // namespace iptrackd::loader

#endif
