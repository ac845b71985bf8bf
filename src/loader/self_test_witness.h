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

#include "loader/hooks.h"

namespace iptrackd::loader {

// Thread-safe.
class SelfTestWitness {
 public:
  // True: RECORD, as it stands in the ring, belongs to the self-test, and has been noted.
  bool note(std::span<const std::byte> record) noexcept;
  void forget() noexcept { seen_.store(0); }

  // What PROBES let us expect and has not come: "UDP bind", "failed exec", ...
  [[nodiscard]] std::vector<std::string_view> missing(const Probes &probes) const;

 private:
  std::atomic<std::uint32_t> seen_{0};
};

}  // namespace iptrackd::loader

#endif
