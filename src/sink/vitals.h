// Vitals: how the daemon is, for the row of its host in iptrackd.hosts.
#ifndef IPTRACKD_SINK_VITALS_H
#define IPTRACKD_SINK_VITALS_H

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

namespace iptrackd::sink {

struct Vitals {
  std::string hooks;                             // a JSON text; empty or invalid: unknown
  std::optional<std::chrono::microseconds> lag;  // age of the oldest event that is not stored
  std::optional<std::uint64_t> lost;             // events, since the daemon began
  std::string clock;                             // "synchronised", ...; empty: unknown
};

// Holds the newest ones. Thread-safe.
class VitalsBox {
 public:
  void set(Vitals vitals) {
    const std::lock_guard lock{mutex_};
    vitals_ = std::move(vitals);
  }
  [[nodiscard]] Vitals get() const {
    const std::lock_guard lock{mutex_};
    return vitals_;
  }

 private:
  mutable std::mutex mutex_;
  Vitals vitals_;
};

}  // namespace iptrackd::sink

#endif
