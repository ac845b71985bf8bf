#include "spool/catalog.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "spool/segment.h"

namespace iptrackd::spool {

Catalog::Catalog(Io &io, const Directory &directory, std::chrono::milliseconds retain,
                 std::deque<Segment> segments, std::uint64_t next_index, const Acknowledged &acknowledged)
    : io_{io},
      directory_{directory},
      retain_{retain},
      segments_{std::move(segments)},
      acknowledged_{acknowledged.position},
      next_index_{next_index} {
  for (Segment &segment : segments_) {
    segment.serial = ++serials_;
    total_ += segment.size;
  }
  mark_acknowledged(SteadyClock::now() - acknowledged.age);
}

void Catalog::add(Segment segment) {
  const std::lock_guard lock{mutex_};
  if (!segments_.empty() && segments_.back().first_index == segment.first_index) {
    total_ -= segments_.back().size;
    segments_.pop_back();
  }
  segment.serial = ++serials_;
  total_ += segment.size;
  next_index_ = segment.next_index;
  segments_.push_back(std::move(segment));
  mark_acknowledged(SteadyClock::now());
  changed_.notify_all();
}

void Catalog::publish(std::uint64_t next_index, std::uint64_t readable, std::uint64_t size,
                      std::uint64_t token) {
  const std::lock_guard lock{mutex_};
  Segment &newest = segments_.back();
  total_ += size - newest.size;
  newest.next_index = next_index_ = next_index;
  newest.readable = readable;
  newest.size = size;
  newest.last_token = token;
  changed_.notify_all();
}

void Catalog::set_synced(std::uint64_t index) {
  const std::lock_guard lock{mutex_};
  synced_ = std::max(synced_, index);
}

std::uint64_t Catalog::synced() const {
  const std::lock_guard lock{mutex_};
  return synced_;
}

Catalog::Room Catalog::room() const {
  const std::lock_guard lock{mutex_};
  Room room{total_, total_};
  for (std::size_t at = 0; at < segments_.size() && is_acknowledged(at); ++at)
    room.unacknowledged -= segments_[at].size;
  return room;
}

bool Catalog::make_room(std::uint64_t size, std::uint64_t limit) {
  const std::lock_guard lock{mutex_};
  while (total_ + size > limit) {
    if (!drop_oldest()) return false;
  }
  return true;
}

void Catalog::close() {
  const std::lock_guard lock{mutex_};
  closed_ = true;
  changed_.notify_all();
}

Segment Catalog::handed_out(std::size_t at) const {
  Segment segment = segments_[at];
  segment.newest = at + 1 == segments_.size();
  segment.limit = segment.newest ? next_index_ : segments_[at + 1].first_index;
  return segment;
}

std::optional<Segment> Catalog::find(std::uint64_t index) const {
  const std::lock_guard lock{mutex_};
  if (segments_.empty() || index > next_index_) return std::nullopt;
  const auto after = std::upper_bound(
      segments_.begin(), segments_.end(), index,
      [](std::uint64_t value, const Segment &segment) { return value < segment.first_index; });
  if (after == segments_.begin()) return std::nullopt;
  return handed_out(static_cast<std::size_t>(after - segments_.begin()) - 1);
}

Position Catalog::first() const {
  const std::lock_guard lock{mutex_};
  if (segments_.empty()) return acknowledged_;
  return {segments_.front().first_index, segments_.front().previous.token};
}

std::uint64_t Catalog::next_index() const {
  const std::lock_guard lock{mutex_};
  return next_index_;
}

Position Catalog::acknowledged() const {
  const std::lock_guard lock{mutex_};
  return acknowledged_;
}

void Catalog::acknowledge(Position position) {
  const std::lock_guard lock{mutex_};
  acknowledged_ = position;
  mark_acknowledged(SteadyClock::now());
  expire_locked();
}

void Catalog::expire() {
  const std::lock_guard lock{mutex_};
  expire_locked();
}

Catalog::Wait Catalog::wait(std::uint64_t index, SteadyClock::time_point until,
                            const std::stop_token &stop) const {
  std::unique_lock lock{mutex_};
  const auto has_more = [&] { return next_index_ > index; };
  changed_.wait_until(lock, stop, until, [&] { return has_more() || closed_; });
  if (has_more()) return Wait::more;
  return closed_ ? Wait::closed : Wait::late;
}

bool Catalog::is_acknowledged(std::size_t at) const {
  return at + 1 < segments_.size() && segments_[at + 1].first_index <= acknowledged_.index;
}

void Catalog::mark_acknowledged(SteadyClock::time_point since) {
  for (std::size_t at = 0; at < segments_.size(); ++at) {
    auto &marked = segments_[at].acknowledged_since;
    if (!is_acknowledged(at)) {
      marked.reset();
    } else if (!marked) {
      marked = since;
    }
  }
}

// False: the oldest is still needed, or cannot be deleted.
bool Catalog::drop_oldest() {
  if (segments_.empty() || !is_acknowledged(0)) return false;
  const std::string name = segment_name(segments_.front().first_index);
  if (io_.unlink(directory_.fd(), name.c_str()) != 0 && errno != ENOENT) return false;
  total_ -= segments_.front().size;
  segments_.pop_front();
  return true;
}

void Catalog::expire_locked() {
  const auto now = SteadyClock::now();
  while (!segments_.empty() && segments_.front().acknowledged_since &&
         now - *segments_.front().acknowledged_since >= retain_) {
    if (!drop_oldest()) return;
  }
}

}  // namespace iptrackd::spool
