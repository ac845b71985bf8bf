#include "app/spooler.h"

#include <algorithm>
#include <chrono>
#include <deque>

#include "core/clock.h"

namespace iptrackd::app {
namespace {

constexpr std::size_t most_events = 4096;
// What is booked beside the events waits no longer than this.
constexpr std::chrono::milliseconds longest_wait{100};

bool is_pam(const Event &event) {
  return event.kind == Kind::auth || event.kind == Kind::open_session || event.kind == Kind::close_session;
}

bool is_callback(const Event &event) {
  return event.kind == Kind::exec && event.environment.known();
}

}  // namespace

Spooler::Spooler(Pool &pool, spool::Spool &spool, loader::RingReader &ring_reader, pam::FifoReader &fifo,
                 pam::Witnesses::Options witnesses)
    : pool_{pool}, spool_{spool}, ring_reader_{ring_reader}, fifo_{fifo}, witnesses_{witnesses} {
  for (const Event &login : spool.recovery().logins) {
    is_pam(login) ? witnesses_.stored(login) : witnesses_.saw(login);
  }
}

void Spooler::run() {
  bool more = true;
  while (more) {
    more = pool_.take(taken_, most_events, std::min(longest_wait, spool_.until_sync()));
    append_taken();
    append_rebuilt();
    spool_.sync_if_due();
    ++rounds_;
  }
  spool_.close();
}

bool Spooler::admit(Event &event) {
  if (is_callback(event)) witnesses_.saw(event);
  if (!is_pam(event)) return true;
  const bool is_new = witnesses_.admit(event);
  if (is_new) witnesses_.stored(event);
  return is_new;
}

void Spooler::append_taken() {
  for (const EventPtr &event : taken_) {
    if (admit(*event)) events_.push_back(event.get());
  }
  spool_.append(events_);
  // What the spool could not take is on its books: in any case it need not be kept elsewhere.
  for (const EventPtr &event : taken_) {
    if (event->ring != 0) ring_reader_.settle(*event);
    fifo_.settle(*event);
  }
  events_.clear();
  taken_.clear();
}

void Spooler::append_rebuilt() {
  std::deque<Event> rebuilt;
  witnesses_.look(boot_time_ns(), [&](Event &record) {
    pool_.stamp(record);
    events_.push_back(&rebuilt.emplace_back(record));
  });
  if (!events_.empty()) spool_.append(events_);
  events_.clear();
}

}  // namespace iptrackd::app
