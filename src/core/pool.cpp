#include "core/pool.h"

#include <algorithm>
#include <utility>

namespace iptrackd {
namespace {

constexpr std::uint64_t never = std::numeric_limits<std::uint64_t>::max();

}  // namespace

void ReturnToPool::operator()(Event *event) const noexcept {
  if (pool != nullptr) pool->release(event);
}

Pool::Pool(Options options) : options_{std::move(options)}, last_seq_{options_.last_seq} {
  const std::scoped_lock lock{mutex_};
  while (allocated_ < options_.min && grow()) {
  }
}

Pool::~Pool() = default;

// With the lock held. False when a bound forbids it.
bool Pool::grow() {
  std::size_t records = std::max<std::size_t>(options_.delta, 1);
  if (options_.max != 0) {
    if (allocated_ >= options_.max) return false;
    records = std::min(records, options_.max - allocated_);
  }
  const std::size_t bytes = records * sizeof(Event);
  if (allocated_ > 0 && bytes_ + bytes > options_.max_bytes) return false;
  auto block = std::make_unique<Event[]>(records);
  free_.reserve(allocated_ + records);  // release() must not have to allocate
  for (std::size_t i = 0; i < records; ++i) free_.push_back(&block[i]);
  blocks_.push_back(std::move(block));
  allocated_ += records;
  bytes_ += bytes;
  return true;
}

EventPtr Pool::acquire(std::stop_token stop) {
  std::unique_lock lock{mutex_};
  auto wait = options_.push_wait.min;
  std::chrono::seconds waited{0};
  for (std::uint32_t attempt = 0; free_.empty() && !grow(); ++attempt) {
    if (stop.stop_requested()) return nullptr;
    ++waits_;
    ++starved_;
    ready_.notify_one();
    const bool freed = free_slot_.wait_for(lock, stop, wait, [this] { return !free_.empty(); });
    --starved_;
    if (freed || stop.stop_requested()) continue;
    waited += wait;
    if (attempt + 1 >= options_.push_wait.grow_threshold) {
      wait = std::min(wait + options_.push_wait.delta, options_.push_wait.max);
    }
    if (options_.on_full) {
      lock.unlock();
      options_.on_full(waited);
      lock.lock();
    }
  }
  Event *event = free_.back();
  free_.pop_back();
  return EventPtr{event, ReturnToPool{this}};
}

void Pool::submit(Source, EventPtr event) {
  const auto later = [](const Waiting &a, const Waiting &b) {
    return std::pair{a.boot_ns, a.arrival} > std::pair{b.boot_ns, b.arrival};
  };
  const std::scoped_lock lock{mutex_};
  bytes_ += event->footprint() - sizeof(Event);
  waiting_.push_back({event->boot_ns, arrivals_++, event.get()});
  (void)event.release();  // the heap has it now; NOLINT(bugprone-unused-return-value)
  std::push_heap(waiting_.begin(), waiting_.end(), later);
}

void Pool::advance(Source source, std::uint64_t boot_ns) {
  {
    const std::scoped_lock lock{mutex_};
    auto &advanced = advanced_.at(static_cast<std::size_t>(source));
    if (boot_ns <= advanced) return;
    advanced = boot_ns;
  }
  ready_.notify_one();
}

void Pool::finish(Source source) {
  advance(source, never);
}

// A source that waits for a record cannot give its word, and the records may all be waiting for just that:
// then order gives way, not progress.
bool Pool::has_final() const noexcept {
  if (waiting_.empty()) return false;
  return waiting_.front().boot_ns < frontier() || (starved_ != 0 && free_.empty());
}

std::uint64_t Pool::frontier() const noexcept {
  return *std::min_element(advanced_.begin(), advanced_.end());
}

bool Pool::take(std::vector<EventPtr> &out, std::size_t max, std::chrono::milliseconds linger) {
  const auto later = [](const Waiting &a, const Waiting &b) {
    return std::pair{a.boot_ns, a.arrival} > std::pair{b.boot_ns, b.arrival};
  };
  std::unique_lock lock{mutex_};
  ready_.wait_for(lock, linger, [this] { return has_final() || frontier() == never; });
  for (std::size_t taken = 0; taken < max && has_final(); ++taken) {
    std::pop_heap(waiting_.begin(), waiting_.end(), later);
    Event *event = waiting_.back().event;
    waiting_.pop_back();
    give_seq(*event);
    out.push_back(EventPtr{event, ReturnToPool{this}});
  }
  return frontier() != never || !waiting_.empty();
}

// The time itself, in ns since boot, so that it means something.
void Pool::give_seq(Event &event) noexcept {
  last_seq_ = std::max(last_seq_ + 1, event.boot_ns);
  event.seq = last_seq_;
}

void Pool::stamp(Event &event) {
  const std::scoped_lock lock{mutex_};
  give_seq(event);
}

void Pool::release(Event *event) noexcept {
  const std::size_t held = event->footprint() - sizeof(Event);
  event->reset();
  {
    const std::scoped_lock lock{mutex_};
    bytes_ -= std::min(held, bytes_);
    free_.push_back(event);
  }
  free_slot_.notify_one();
}

Pool::Usage Pool::usage() const {
  const std::scoped_lock lock{mutex_};
  return {allocated_, allocated_ - free_.size(), bytes_, waits_};
}

}  // namespace iptrackd
