// Batch: a run of the spool's records on their way to the sink, and where in the spool it stands.
//
//   spool:   ... │ entry 41 │ entry 42 │ entry 44 │ ...        (43 was damaged: an index is never reused)
//   Position{42, t41} ─────┘          └───── Position{43, t42}
//
// A Batch owns its entries and keeps their memory when it is cleared. A BatchView is any run of them: what a
// sink stores in one transaction, together with the step from its first position to its last.
// Not thread-safe.
#ifndef IPTRACKD_CORE_BATCH_H
#define IPTRACKD_CORE_BATCH_H

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/event.h"
#include "core/host_event.h"
#include "core/loss.h"

namespace iptrackd {

// What is the same for all entries of a batch: who recorded them.
struct Origin {
  std::string host;
  std::string boot_id;  // UUID text of /proc/sys/kernel/random/boot_id

  friend bool operator==(const Origin &, const Origin &) = default;
};

// A place between two records of a spool: all with a lower index are before it. The token is the checksum of
// the last record before it, 0 before the first: it tells two spools apart that have the same UUID (a cloned
// image, a restored copy), as their records differ.
struct Position {
  std::uint64_t index = 0;
  std::uint64_t token = 0;

  friend bool operator==(const Position &, const Position &) = default;
};

struct BatchView {
  const Origin *origin = nullptr;
  Position from;
  Position to;
  std::span<const Event> events;  // in the order of seq
  std::span<const Loss> losses;
  std::span<const HostEvent> host_events;

  [[nodiscard]] bool empty() const noexcept {
    return events.empty() && losses.empty() && host_events.empty();
  }
};

class Batch {
 public:
  // Forgets everything and begins anew behind FROM.
  void begin(Origin origin, Position from);

  // Add the entry INDEX, whose checksum is TOKEN; indexes rise. The reference is valid until the next call.
  [[nodiscard]] Event &add_event(std::uint64_t index, std::uint64_t token);
  [[nodiscard]] Loss &add_loss(std::uint64_t index, std::uint64_t token);
  [[nodiscard]] HostEvent &add_host_event(std::uint64_t index, std::uint64_t token);
  // Takes the last entry out again.
  void drop_last();
  // The batch reaches to POSITION, though it holds nothing of what is in between.
  void extend_to(Position position) noexcept { to_ = position; }

  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  [[nodiscard]] const Origin &origin() const noexcept { return origin_; }
  [[nodiscard]] Position from() const noexcept { return from_; }
  [[nodiscard]] Position to() const noexcept { return to_; }
  [[nodiscard]] BatchView view() const { return slice(0, size()); }
  // COUNT entries from FIRST on. The last slice of a batch reaches to the batch's own end.
  [[nodiscard]] BatchView slice(std::size_t first, std::size_t count) const;

 private:
  struct Entry {
    Position after;
    // How many of each sort there are before this one.
    std::uint32_t events, losses, host_events;
  };
  void add_entry(std::uint64_t index, std::uint64_t token);
  [[nodiscard]] Entry counts_at(std::size_t entry) const;

  Origin origin_;
  Position from_;
  Position to_;
  std::vector<Entry> entries_;
  std::vector<Event> events_;  // may be longer than what is in use: its memory is kept
  std::vector<Loss> losses_;
  std::vector<HostEvent> host_events_;
  std::uint32_t event_count_ = 0;
};

}  // namespace iptrackd

#endif
