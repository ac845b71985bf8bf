// Outbox: losses and host events that wait to be written. Losses are merged (LossBook); of host events at
// most `most_host_events` are kept, further ones become a loss. Thread-safe.
#ifndef IPTRACKD_SPOOL_OUTBOX_H
#define IPTRACKD_SPOOL_OUTBOX_H

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

#include "core/host_event.h"
#include "core/loss.h"
#include "core/loss_book.h"

namespace iptrackd::spool {

class Outbox {
 public:
  static constexpr std::size_t most_host_events = 1024;

  void book(const Loss &loss) { losses_.add(loss); }
  void note(HostEvent event);
  // Because it could not be written: goes before what was noted meanwhile. EVENTS in their order.
  void put_back(std::vector<HostEvent> events);
  [[nodiscard]] std::vector<Loss> take_losses() { return losses_.take(); }
  [[nodiscard]] std::vector<HostEvent> take_host_events();

 private:
  void shorten(std::unique_lock<std::mutex> lock);

  LossBook losses_;
  std::mutex mutex_;
  std::deque<HostEvent> host_events_;  // guarded by mutex_
};

}  // namespace iptrackd::spool

#endif
