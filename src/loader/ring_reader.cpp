#include "loader/ring_reader.h"

#include <poll.h>

#include <algorithm>
#include <array>

#include "loader/decoder.h"

namespace iptrackd::loader {
namespace {

// An event gets its time when its program begins, and stands in the ring when it ends. A program may be
// preempted in between; so what is older than this, and only that, is taken to be complete.
constexpr std::uint64_t settle_ns = 50'000'000;

// After this many rounds without an event the reader sleeps until one wakes it, or for `doze`: the pool has
// to hear from every source now and then.
constexpr std::uint32_t rounds_until_doze = 40;
constexpr std::chrono::milliseconds doze{100};

}  // namespace

RingReader::RingReader(Tracer &tracer, Pool &pool, const Redactor &redactor, RingReaderOptions options)
    : tracer_{tracer},
      pool_{pool},
      redactor_{redactor},
      options_{std::move(options)},
      started_ns_{boot_time_ns()} {
  for (Ring &ring : tracer.rings()) {
    Ring *const released = &ring;
    sources_.push_back(
        {ring.id(), released, std::make_unique<Outstanding>([released](std::uint64_t position) {
           released->release_to(position);
         })});
  }
}

void RingReader::run(std::stop_token stop, std::stop_token give_up) {
  while (!stop.stop_requested()) {
    const bool idle = !drain(give_up);
    idle_rounds_ = idle ? idle_rounds_ + 1 : 0;
    ++rounds_;
    wait(stop);
  }
  drain(give_up);
  pool_.finish(Pool::Source::kernel);
}

// False when there was nothing to read.
bool RingReader::drain(const std::stop_token &give_up) {
  const std::uint64_t now = clock_.sample();
  bool any = false;
  for (Source &source : sources_) any = (source.ring != nullptr && drain_ring(source, give_up)) || any;
  pool_.advance(Pool::Source::kernel, now - std::min(now, settle_ns));
  if (now > started_ns_ + settle_ns) forget_older_when_empty();
  return any;
}

bool RingReader::drain_ring(Source &source, const std::stop_token &give_up) {
  // No more than is there now: the other ring must have its turn.
  std::size_t budget = source.ring->pending();
  bool any = false;
  while (budget != 0) {
    const auto record = source.ring->front();
    if (!record || !take(source, *record, give_up)) break;
    budget -= std::min(budget, record->size());
    any = true;
  }
  return any;
}

// Hands RECORD on, or leaves it out; false: it must wait, as the pool is full and the daemon stops.
bool RingReader::take(Source &source, std::span<const std::byte> record, const std::stop_token &give_up) {
  const bool is_ours = tracer_.witness().note(record);
  EventPtr event = is_ours ? nullptr : pool_.acquire(give_up);
  if (!is_ours && !event) return false;
  const auto error = is_ours ? DecodeError::none : decode(record, *event);
  const std::uint64_t end = source.ring->advance();
  source.outstanding->add(end);
  const bool is_held = options_.held.erase({source.id, end}) != 0;
  if (error != DecodeError::none) ++undecodable_;
  if (is_ours || is_held || error != DecodeError::none) {
    source.outstanding->settle(end);
    return true;
  }
  event->unix_us = clock_.unix_us(event->boot_ns);
  event->ring = source.ring->id();
  event->ring_position = end;
  redactor_.apply(*event);
  pool_.submit(Pool::Source::kernel, std::move(event));
  return true;
}

void RingReader::settle(const Event &event) {
  const auto source = std::find_if(sources_.begin(), sources_.end(),
                                   [&](const Source &candidate) { return candidate.id == event.ring; });
  if (source != sources_.end()) source->outstanding->settle(event.ring_position);
}

// By now no program of an older set runs any more.
void RingReader::forget_older_when_empty() {
  const auto older = std::span{sources_}.subspan(Tracer::own_rings);
  if (older.empty() || older.front().ring == nullptr) return;
  const bool all_empty = std::all_of(older.begin(), older.end(), [](const Source &source) {
    return source.ring->pending() == 0 && source.outstanding->empty();
  });
  if (!all_empty) return;
  for (Source &source : older) source.ring = nullptr;
  tracer_.forget_older_rings();
}

// A ring is readable for poll() as long as anything is not given back.
bool RingReader::may_doze() const {
  return idle_rounds_ >= rounds_until_doze &&
         std::all_of(sources_.begin(), sources_.end(),
                     [](const Source &source) { return source.outstanding->empty(); });
}

void RingReader::wait(const std::stop_token &stop) {
  auto timeout = options_.drain_interval;
  const bool dozing = may_doze();
  if (dozing) {
    timeout = std::max(doze, timeout);
    tracer_.set_reader_asleep(true);
    // An event that was made before the flag was up has woken nobody.
    const auto own = std::span{sources_}.first(Tracer::own_rings);
    if (std::any_of(own.begin(), own.end(),
                    [](const Source &source) { return source.ring->pending() != 0; })) {
      timeout = {};
    }
  }
  if (stop.stop_requested()) return;
  const auto fds = tracer_.ring_fds();
  std::array<pollfd, 2> polled{pollfd{fds[0], POLLIN, 0}, pollfd{fds[1], POLLIN, 0}};
  // While not dozing nobody looks at readiness: poll would return at once as long as a ring is not empty.
  poll(polled.data(), dozing ? polled.size() : 0, static_cast<int>(timeout.count()));
  if (dozing) tracer_.set_reader_asleep(false);
}

}  // namespace iptrackd::loader
