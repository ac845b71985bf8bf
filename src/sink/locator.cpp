#include "sink/locator.h"

#include <algorithm>
#include <chrono>
#include <span>
#include <utility>

#include "core/clock.h"

namespace iptrackd::sink {
namespace {

// A rejection says something about rows, and here none of the host's was written.
Error as_failure(const Error &error) {
  return error.fault() == Fault::rejected ? Error{Fault::environment, error.message()} : error;
}

}  // namespace

HostEvent Locator::noticed(const char *kind, std::string detail) const {
  HostEvent event{unix_time_us(), kind, std::move(detail)};
  if (notice_) notice_(event);
  return event;
}

Result<void> Locator::locate(const std::stop_token &stop) {
  located_ = false;
  const auto told = sink_.open(source_.id(), origin_, stop);
  if (!told && told.error().fault() == Fault::moved && !forked_) {
    // It is another host's there, and this one may not even ask: a clone, with a credential of its own.
    if (auto forked = fork(); !forked) return forked;
    return locate(stop);
  }
  if (!told) return tl::unexpected{as_failure(told.error())};
  if (!*told) {
    cursor_ = source_.acknowledged();
    located_ = true;
    return {};
  }
  const Position stored = **told;
  if (forked_ && stored == Position{}) return begin_anew(stop);
  forked_ = false;
  switch (source_.lineage(stored)) {
    case BatchSource::Lineage::held:
      return go_on_at(stored);
    case BatchSource::Lineage::gone:
      return step_over(stored, stop);
    case BatchSource::Lineage::foreign:
      break;
  }
  if (auto forked = fork(); !forked) return forked;
  return locate(stop);
}

Result<void> Locator::go_on_at(Position stored) {
  const Position acknowledged = source_.acknowledged();
  if (!notes_.empty() && stored != notes_at_) notes_.clear();  // the view that carried them has arrived
  if (stored.index < acknowledged.index) {
    notes_at_ = stored;
    notes_.push_back(noticed("database-rewound", std::to_string(acknowledged.index - stored.index) +
                                                     " records that were stored are sent again"));
  }
  if (stored != acknowledged) source_.acknowledge(stored);
  cursor_ = stored;
  located_ = true;
  return {};
}

// UTC microseconds of the oldest event that is held, or now.
std::int64_t Locator::time_of_first(const std::stop_token &stop) {
  Batch batch;
  BatchLimits limits;
  limits.rows = 1;
  limits.linger = std::chrono::milliseconds{0};
  const auto read = source_.read(source_.first(), limits, batch, stop);
  const BatchView view = batch.view();
  return read && *read == BatchSource::Read::some && !view.events.empty() ? view.events.front().unix_us
                                                                          : unix_time_us();
}

Result<void> Locator::step_over(Position stored, const std::stop_token &stop) {
  const Position first = source_.first();
  const Position acknowledged = source_.acknowledged();
  // Records that nobody acknowledged do not vanish by a rewound database: somebody took them out of the
  // spool.
  const bool rewound = stored.index < acknowledged.index;
  // Beforehand, so that nothing more goes; and afterwards this is no second rewinding.
  if (first.index < acknowledged.index) source_.acknowledge(first);
  const char *cause = rewound ? "database-rewound" : "spool-cut";
  const std::uint64_t count = first.index - stored.index;
  const std::int64_t to = time_of_first(stop);
  Loss loss{.from_unix_us = std::min(sink_.stored_until().value_or(0), to),
            .to_unix_us = to,
            .stage = "sink",
            .cause = cause,
            .kind = {},
            .uid = {},
            .count = count};
  const HostEvent event =
      noticed(cause, std::to_string(count) + " records are neither there nor in the spool");
  BatchView view{&origin_, stored, first, {}, {&loss, 1}, {&event, 1}};
  return store_step(view, stop);
}

Result<void> Locator::fork() {
  const std::string before = source_.id();
  if (auto forked = source_.fork(); !forked) {
    return tl::unexpected{forked.error().in_context("cannot give the spool an identity of its own")};
  }
  forked_ = true;
  notes_.clear();
  notes_.push_back(noticed("spool-forked", "another spool has the identity " + before));
  return {};
}

Result<void> Locator::begin_anew(const std::stop_token &stop) {
  const BatchView view{&origin_, {}, source_.acknowledged(), {}, {}, notes_};
  return store_step(view, stop);
}

Result<void> Locator::store_step(const BatchView &view, const std::stop_token &stop) {
  if (auto written = sink_.write(source_.id(), view, stop); !written) {
    return tl::unexpected{as_failure(written.error())};
  }
  forked_ = false;
  notes_.clear();
  if (view.to != source_.acknowledged()) source_.acknowledge(view.to);
  cursor_ = view.to;
  located_ = true;
  return {};
}

Result<void> Locator::write(const BatchView &view, const std::stop_token &stop) {
  BatchView complete = view;
  std::vector<HostEvent> host_events;
  if (!notes_.empty()) {
    host_events = notes_;
    host_events.insert(host_events.end(), view.host_events.begin(), view.host_events.end());
    complete.host_events = host_events;
  }
  if (auto written = sink_.write(source_.id(), complete, stop); !written) {
    located_ = written.error().fault() == Fault::rejected;
    return written;
  }
  notes_.clear();
  cursor_ = view.to;
  if (view.to != view.from) source_.acknowledge(view.to);
  return {};
}

}  // namespace iptrackd::sink
