#include "sink/writer.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "core/clock.h"
#include "core/pause.h"

namespace iptrackd::sink {
namespace {

using std::chrono::milliseconds;

// What stands for the refused entry, the only one of VIEW.
Loss loss_for(const BatchView &view) {
  Loss loss;
  loss.stage = "sink";
  loss.cause = "rejected";
  loss.count = 1;
  if (!view.events.empty()) {
    const Event &event = view.events.front();
    loss.from_unix_us = loss.to_unix_us = event.unix_us;
    loss.kind = event.kind;
    loss.uid = event.uid;
  } else if (!view.losses.empty()) {
    loss = view.losses.front();  // what it counted stays counted
    loss.stage = "sink";
    loss.cause = "rejected";
  } else {
    loss.from_unix_us = loss.to_unix_us = unix_time_us();
  }
  return loss;
}

}  // namespace

Writer::Writer(BatchSource &source, Sink &sink, Origin origin, Options options, Observer observer,
               SetAside set_aside)
    : source_{source},
      sink_{sink},
      origin_{std::move(origin)},
      options_{options},
      observer_{std::move(observer)},
      set_aside_{std::move(set_aside)},
      locator_{source, sink, origin_, observer_.noticed},
      backoff_{options.backoff} {}

Writer::Summary Writer::run(std::stop_token stop) {
  Summary summary;
  bool more = true;
  bool opened = false;
  while (more && !stop.stop_requested()) {
    auto stepped = step(stop);
    opened = opened || locator_.located();
    if (stepped) {
      more = *stepped;
    } else if (stepped.error().fault() == Fault::usage && !opened) {
      summary.error = stepped.error();
      break;
    } else {
      fail_and_wait(stepped.error(), stop);
    }
  }
  const Counters counted = counters();
  summary.written = counted.rows;
  summary.rejected = counted.rejected;
  summary.complete = !more;
  summary.acknowledged = source_.acknowledged();
  return summary;
}

Result<bool> Writer::step(const std::stop_token &stop) {
  if (!locator_.located()) {
    if (auto located = locator_.locate(stop); !located) return tl::unexpected{located.error()};
  }
  const auto read = source_.read(locator_.cursor(), options_.batch, batch_, stop);
  if (!read) return tl::unexpected{read.error()};
  if (*read == BatchSource::Read::ended) return false;
  const auto done = *read == BatchSource::Read::some ? deliver(stop) : live(stop);
  if (!done) return tl::unexpected{done.error()};
  return true;
}

Result<void> Writer::live(const std::stop_token &stop) {
  if (stop.stop_requested() || Clock::now() - last_write_ < options_.heartbeat) return {};
  return store({&origin_, locator_.cursor(), locator_.cursor(), {}, {}, {}}, stop);
}

// Parts that were refused as a whole wait on a stack, the earliest on top: entries are stored in their order.
Result<void> Writer::deliver(const std::stop_token &stop) {
  struct Part {
    std::size_t first, count;
  };
  std::vector<Part> parts{{0, batch_.size()}};
  while (!parts.empty() && !stop.stop_requested()) {
    const Part part = parts.back();
    parts.pop_back();
    const BatchView view = batch_.slice(part.first, part.count);
    auto stored = store(view, stop);
    if (stored) continue;
    if (!is_refusal(stored.error(), view, stop)) return stored;
    if (part.count > 1) {
      errors_.fetch_add(1, std::memory_order_relaxed);
      parts.push_back({part.first + part.count / 2, part.count - part.count / 2});
      parts.push_back({part.first, part.count / 2});
    } else if (auto refused = refuse(view, stored.error(), stop); !refused) {
      return refused;
    }
  }
  return {};
}

Result<void> Writer::store(const BatchView &view, const std::stop_token &stop) {
  if (auto written = locator_.write(view, stop); !written) return written;
  note_success(view);
  return {};
}

// Whether ERROR is this data's fault.
bool Writer::is_refusal(const Error &error, const BatchView &view, const std::stop_token &stop) {
  if (view.empty()) return false;
  if (error.fault() == Fault::rejected) return true;
  if (error.fault() != Fault::environment) return false;
  if (trouble_at_ != view.from) trouble_count_ = 0;
  trouble_at_ = view.from;
  ++trouble_count_;
  const bool suspected = view.from.index < suspected_before_ || trouble_count_ >= options_.attempts;
  if (!suspected || !takes_others(view, stop)) return false;
  suspected_before_ = batch_.to().index;
  return true;
}

// Whether the sink would store a harmless event in the place of VIEW.
bool Writer::takes_others(const BatchView &view, const std::stop_token &stop) {
  Event harmless;
  harmless.unix_us = unix_time_us();
  if (!view.events.empty()) harmless.kind = view.events.front().kind;
  const BatchView probe{view.origin, view.from, view.to, {&harmless, 1}, {}, {}};
  return locator_.locate(stop).has_value() && locator_.cursor() == view.from &&
         sink_.rehearse(probe, stop).has_value();
}

Result<void> Writer::refuse(const BatchView &view, const Error &error, const std::stop_token &stop) {
  errors_.fetch_add(1, std::memory_order_relaxed);
  if (set_aside_ && set_aside_at_ != view.to) {
    if (auto kept = set_aside_(view, error); !kept && observer_.failed) observer_.failed(kept.error());
    set_aside_at_ = view.to;
  }
  Loss loss = loss_for(view);
  const BatchView instead{view.origin, view.from, view.to, {}, {&loss, 1}, {}};
  auto stored = store(instead, stop);
  if (!stored && stored.error().fault() == Fault::rejected) {
    // Its time, for one, may be what was refused.
    loss.from_unix_us = loss.to_unix_us = unix_time_us();
    loss.uid.reset();
    stored = store(instead, stop);
  }
  if (!stored) {
    if (stored.error().fault() != Fault::rejected) return stored;
    return fail(Fault::environment, "the loss of a refused row is refused too: " + stored.error().message());
  }
  rejected_.fetch_add(1, std::memory_order_relaxed);
  if (observer_.rejected) observer_.rejected(view, error);
  return {};
}

void Writer::fail_and_wait(const Error &error, const std::stop_token &stop) {
  locator_.lose();
  if (error.fault() == Fault::cancelled) return;
  if (error.fault() == Fault::moved) {
    moves_.fetch_add(1, std::memory_order_relaxed);
    if (observer_.moved) observer_.moved();
    // The position tells at once how to go on; twice in a row, something is amiss.
    if (!std::exchange(moved_last_, true)) return;
  } else {
    errors_.fetch_add(1, std::memory_order_relaxed);
    if (!failing_ && observer_.failed) observer_.failed(error);
    failing_ = true;
  }
  pause_for(backoff_.next(), stop);
}

void Writer::note_success(const BatchView &view) {
  last_write_ = Clock::now();
  backoff_.reset();
  moved_last_ = false;
  if (failing_ && observer_.recovered) observer_.recovered();
  failing_ = false;
  if (view.empty()) return;
  rows_.fetch_add(view.events.size(), std::memory_order_relaxed);
  batches_.fetch_add(1, std::memory_order_relaxed);
  if (!view.events.empty()) last_unix_us_.store(view.events.back().unix_us, std::memory_order_relaxed);
  if (observer_.written) observer_.written(view.events.size());
}

Writer::Counters Writer::counters() const noexcept {
  return {rows_.load(std::memory_order_relaxed),   batches_.load(std::memory_order_relaxed),
          errors_.load(std::memory_order_relaxed), rejected_.load(std::memory_order_relaxed),
          moves_.load(std::memory_order_relaxed),  last_unix_us_.load(std::memory_order_relaxed)};
}

}  // namespace iptrackd::sink
