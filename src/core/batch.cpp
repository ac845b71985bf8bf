#include "core/batch.h"

#include <utility>

namespace iptrackd {

void Batch::begin(Origin origin, Position from) {
  origin_ = std::move(origin);
  from_ = to_ = from;
  entries_.clear();
  losses_.clear();
  host_events_.clear();
  event_count_ = 0;
}

void Batch::add_entry(std::uint64_t index, std::uint64_t token) {
  to_ = {index + 1, token};
  entries_.push_back({to_, event_count_, static_cast<std::uint32_t>(losses_.size()),
                      static_cast<std::uint32_t>(host_events_.size())});
}

Event &Batch::add_event(std::uint64_t index, std::uint64_t token) {
  add_entry(index, token);
  if (event_count_ == events_.size()) events_.emplace_back();
  Event &event = events_[event_count_++];
  event.reset();
  return event;
}

Loss &Batch::add_loss(std::uint64_t index, std::uint64_t token) {
  add_entry(index, token);
  return losses_.emplace_back();
}

HostEvent &Batch::add_host_event(std::uint64_t index, std::uint64_t token) {
  add_entry(index, token);
  return host_events_.emplace_back();
}

void Batch::drop_last() {
  const Entry last = entries_.back();
  entries_.pop_back();
  event_count_ = last.events;
  losses_.resize(last.losses);
  host_events_.resize(last.host_events);
  to_ = entries_.empty() ? from_ : entries_.back().after;
}

Batch::Entry Batch::counts_at(std::size_t entry) const {
  if (entry < entries_.size()) return entries_[entry];
  return {to_, event_count_, static_cast<std::uint32_t>(losses_.size()),
          static_cast<std::uint32_t>(host_events_.size())};
}

BatchView Batch::slice(std::size_t first, std::size_t count) const {
  const Entry begin = counts_at(first);
  const Entry end = counts_at(first + count);
  BatchView view;
  view.origin = &origin_;
  view.from = first == 0 ? from_ : entries_[first - 1].after;
  if (first + count >= size()) {
    view.to = to_;
  } else {
    view.to = count == 0 ? view.from : entries_[first + count - 1].after;
  }
  view.events = std::span{events_}.subspan(begin.events, end.events - begin.events);
  view.losses = std::span{losses_}.subspan(begin.losses, end.losses - begin.losses);
  view.host_events = std::span{host_events_}.subspan(begin.host_events, end.host_events - begin.host_events);
  return view;
}

}  // namespace iptrackd
