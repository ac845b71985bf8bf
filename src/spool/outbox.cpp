#include "spool/outbox.h"

#include <iterator>
#include <utility>

namespace iptrackd::spool {

void Outbox::note(HostEvent event) {
  std::unique_lock lock{mutex_};
  host_events_.push_back(std::move(event));
  shorten(std::move(lock));
}

void Outbox::put_back(std::vector<HostEvent> events) {
  std::unique_lock lock{mutex_};
  host_events_.insert(host_events_.begin(), std::make_move_iterator(events.begin()),
                      std::make_move_iterator(events.end()));
  shorten(std::move(lock));
}

std::vector<HostEvent> Outbox::take_host_events() {
  const std::lock_guard lock{mutex_};
  std::vector<HostEvent> taken{std::make_move_iterator(host_events_.begin()),
                               std::make_move_iterator(host_events_.end())};
  host_events_.clear();
  return taken;
}

// The newest go: what came first tells more of how the trouble began.
void Outbox::shorten(std::unique_lock<std::mutex> lock) {
  std::vector<Loss> lost;
  while (host_events_.size() > most_host_events) {
    const auto time = host_events_.back().unix_us;
    lost.push_back({time, time, "spool", "spool-full", {}, {}, 1, {}});
    host_events_.pop_back();
  }
  lock.unlock();
  for (const Loss &loss : lost) losses_.add(loss);
}

}  // namespace iptrackd::spool
