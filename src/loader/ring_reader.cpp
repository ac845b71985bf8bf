#include "loader/ring_reader.h"

#include <poll.h>

#include <algorithm>

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
    : tracer_{tracer}, pool_{pool}, redactor_{redactor}, options_{options} {}

void RingReader::run(std::stop_token stop, std::stop_token give_up) {
  while (!stop.stop_requested()) {
    const bool idle = !drain(give_up);
    idle_rounds_ = idle ? idle_rounds_ + 1 : 0;
    wait(stop);
  }
  drain(give_up);
  pool_.finish(Pool::Source::kernel);
}

// False when there was nothing to read.
bool RingReader::drain(std::stop_token give_up) {
  const std::uint64_t now = clock_.sample();
  const bool exec_read = drain_ring(tracer_.exec_ring(), give_up);
  const bool network_read = drain_ring(tracer_.network_ring(), give_up);
  pool_.advance(Pool::Source::kernel, now - std::min(now, settle_ns));
  return exec_read || network_read;
}

bool RingReader::drain_ring(Ring &ring, std::stop_token give_up) {
  // No more than is there now: the other ring must have its turn.
  std::size_t budget = ring.pending();
  bool any = false;
  while (budget != 0) {
    const auto record = ring.front();
    if (!record) break;
    if (tracer_.witness().note(*record)) {
      budget -= std::min(budget, record->size());
      ring.release();
      continue;
    }
    auto event = pool_.acquire(give_up);
    if (!event) return any;
    if (decode(*record, *event) == DecodeError::none) {
      event->unix_us = clock_.unix_us(event->boot_ns);
      redactor_.apply(*event);
      pool_.submit(Pool::Source::kernel, std::move(event));
    } else {
      ++undecodable_;
    }
    budget -= std::min(budget, record->size());
    ring.release();
    any = true;
  }
  return any;
}

void RingReader::wait(std::stop_token stop) {
  auto timeout = options_.drain_interval;
  const bool dozing = idle_rounds_ >= rounds_until_doze;
  if (dozing) {
    timeout = std::max(doze, timeout);
    tracer_.set_reader_asleep(true);
    // An event that was made before the flag was up has woken nobody.
    if (tracer_.exec_ring().pending() != 0 || tracer_.network_ring().pending() != 0) timeout = {};
  }
  if (stop.stop_requested()) return;
  const auto fds = tracer_.ring_fds();
  std::array<pollfd, 2> polled{pollfd{fds[0], POLLIN, 0}, pollfd{fds[1], POLLIN, 0}};
  // While not dozing nobody looks at readiness: poll would return at once as long as a ring is not empty.
  poll(polled.data(), dozing ? polled.size() : 0, static_cast<int>(timeout.count()));
  if (dozing) tracer_.set_reader_asleep(false);
}

}  // namespace iptrackd::loader
