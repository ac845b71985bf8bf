// Sink: where batches of events end. One interface, several drivers (postgresql, jsonl).
// A sink is used by one thread at a time.
#ifndef IPTRACKD_SINK_SINK_H
#define IPTRACKD_SINK_SINK_H

#include <cstddef>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>

#include "core/event.h"
#include "core/loss.h"
#include "core/result.h"

namespace iptrackd::sink {

// What is the same for every row that this daemon writes.
struct Origin {
  std::string host;
  std::string boot_id;  // UUID text of /proc/sys/kernel/random/boot_id
};

struct Batch {
  std::span<const Event *const> events;  // in the order of seq
  std::span<const Loss> losses;
  [[nodiscard]] bool empty() const noexcept { return events.empty() && losses.empty(); }
};

class Sink {
 public:
  virtual ~Sink() = default;

  // The driver's name, for messages: "postgresql", "jsonl".
  [[nodiscard]] virtual std::string_view driver() const noexcept = 0;
  // Makes it ready to write; does nothing when it is. Faults: connection (retry), usage, environment (give
  // up), cancelled (STOP was requested; honoured within 100 ms).
  [[nodiscard]] virtual Result<void> open(std::stop_token stop) = 0;
  // Stores the whole batch or nothing. After a connection fault the sink must be opened again.
  [[nodiscard]] virtual Result<void> write(const Batch &batch, std::stop_token stop) = 0;
};

}  // namespace iptrackd::sink

#endif
