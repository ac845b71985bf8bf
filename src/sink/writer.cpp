#include "sink/writer.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace iptrackd::sink {
namespace {

using std::chrono::milliseconds;

void sleep(milliseconds duration, const std::stop_token &stop) {
  std::mutex mutex;
  std::condition_variable_any never;
  std::unique_lock lock{mutex};
  never.wait_for(lock, stop, duration, [] { return false; });
}

}  // namespace

Writer::Writer(Pool &pool, Sink &sink, Options options, Observer observer)
    : pool_{pool},
      sink_{sink},
      options_{options},
      observer_{std::move(observer)},
      backoff_{options.backoff} {}

Writer::Summary Writer::run(std::stop_token flush_deadline) {
  bool more = true;
  while (more && !flush_deadline.stop_requested()) {
    more = gather();
    store_batch(flush_deadline);
  }
  // The last batch may have booked losses of its own.
  while (!book_.empty() && !flush_deadline.stop_requested()) store_batch(flush_deadline);
  if (flush_deadline.stop_requested()) drain();
  const Counters counted = counters();
  return {counted.rows, counted.rejected, unwritten_, book_.take()};
}

// Fills the batch; false when the pool will give nothing more.
bool Writer::gather() {
  bool more = pool_.take(batch_, options_.rows, options_.linger);
  const auto deadline = Clock::now() + options_.linger;
  std::size_t bytes = 0;
  std::size_t counted = 0;
  while (more && !batch_.empty() && batch_.size() < options_.rows) {
    for (; counted < batch_.size(); ++counted) bytes += batch_[counted]->footprint();
    const auto left = std::chrono::ceil<milliseconds>(deadline - Clock::now());
    if (bytes >= options_.bytes || left <= milliseconds::zero()) break;
    more = pool_.take(batch_, options_.rows - batch_.size(), left);
  }
  return more;
}

void Writer::store_batch(const std::stop_token &stop) {
  const std::vector<Loss> losses = book_.take();
  if (batch_.empty() && losses.empty() && Clock::now() - last_write_ < options_.heartbeat) return;
  std::vector<const Event *> events;
  events.reserve(batch_.size());
  for (const EventPtr &event : batch_) events.push_back(event.get());

  auto stored = store(events, losses, stop);
  if (!stored && stored.error().fault() == Fault::rejected) {
    store_losses(losses, stop);
    store_halves(events, stop);
  } else if (!stored) {
    for (const Loss &loss : losses) book_.add(loss);
    unwritten_ += events.size();
  }
  batch_.clear();
}

// Tries until it is done. Faults: rejected, cancelled.
Result<void> Writer::store(Events events, std::span<const Loss> losses, const std::stop_token &stop) {
  while (true) {
    Result<void> done = attempt({events, losses}, stop);
    if (done) return done;
    const Fault fault = done.error().fault();
    if (fault == Fault::cancelled) return done;
    note_failure(done.error());
    if (fault == Fault::rejected) return done;
    sleep(backoff_.next(), stop);
    if (stop.stop_requested()) return fail(Fault::cancelled, done.error().message());
  }
}

Result<void> Writer::attempt(const Batch &batch, const std::stop_token &stop) {
  if (auto opened = sink_.open(stop); !opened) {
    // A rejection says something about rows, and none was written yet.
    if (opened.error().fault() != Fault::rejected) return opened;
    return fail(Fault::environment, opened.error().message());
  }
  if (auto written = sink_.write(batch, stop); !written) return written;
  note_success(batch);
  return {};
}

void Writer::store_losses(std::span<const Loss> losses, const std::stop_token &stop) {
  if (losses.empty()) return;
  auto stored = store({}, losses, stop);
  if (!stored && stored.error().fault() == Fault::cancelled) {
    for (const Loss &loss : losses) book_.add(loss);
  }
}

// EVENTS were refused as a whole. Parts wait on a stack, the earliest on top, so that rows are stored in
// their order.
void Writer::store_halves(Events events, const std::stop_token &stop) {
  std::vector<Events> parts;
  const auto split = [&parts](Events whole) {
    parts.push_back(whole.subspan(whole.size() / 2));
    parts.push_back(whole.first(whole.size() / 2));
  };
  if (events.empty()) return;
  parts.push_back(events);
  while (!parts.empty()) {
    const Events part = parts.back();
    parts.pop_back();
    if (part.empty()) continue;
    if (stop.stop_requested()) {
      unwritten_ += part.size();
      continue;
    }
    auto stored = store(part, {}, stop);
    if (stored) continue;
    if (stored.error().fault() == Fault::cancelled) {
      unwritten_ += part.size();
    } else if (part.size() == 1) {
      give_up(*part.front(), stored.error());
    } else {
      split(part);
    }
  }
}

void Writer::give_up(const Event &event, const Error &error) {
  rejected_.fetch_add(1, std::memory_order_relaxed);
  book_.add({event.unix_us, event.unix_us, "sink", "rejected", event.kind, event.uid, 1});
  if (observer_.rejected) observer_.rejected(event, error);
}

void Writer::note_failure(const Error &error) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  if (error.fault() == Fault::rejected) return;
  if (!failing_ && observer_.failed) observer_.failed(error);
  failing_ = true;
}

void Writer::note_success(const Batch &batch) {
  last_write_ = Clock::now();
  backoff_.reset();
  if (failing_ && observer_.recovered) observer_.recovered();
  failing_ = false;
  if (batch.empty()) return;
  rows_.fetch_add(batch.events.size(), std::memory_order_relaxed);
  batches_.fetch_add(1, std::memory_order_relaxed);
  if (!batch.events.empty()) last_unix_us_.store(batch.events.back()->unix_us, std::memory_order_relaxed);
  if (observer_.written) observer_.written(batch.events.size());
}

// Counts what the pool still holds. It stops at the first pause: a source that has not finished is not waited
// for.
void Writer::drain() {
  bool more = true;
  do {
    batch_.clear();
    more = pool_.take(batch_, options_.rows, milliseconds{0});
    unwritten_ += batch_.size();
  } while (more && !batch_.empty());
  batch_.clear();
}

Writer::Counters Writer::counters() const noexcept {
  return {rows_.load(std::memory_order_relaxed), batches_.load(std::memory_order_relaxed),
          errors_.load(std::memory_order_relaxed), rejected_.load(std::memory_order_relaxed),
          last_unix_us_.load(std::memory_order_relaxed)};
}

}  // namespace iptrackd::sink
