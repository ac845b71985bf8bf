#include "spool/damage_book.h"

#include <algorithm>
#include <utility>

namespace iptrackd::spool {

void DamageBook::know(const Range &range) {
  const std::lock_guard lock{mutex_};
  know_locked(range);
}

void DamageBook::know_locked(const Range &range) {
  if (!range.count) return;
  if (*range.count == 0) {
    headers_.insert(range.first);
    return;
  }
  std::uint64_t first = range.first;
  std::uint64_t end = range.first + *range.count;
  auto at = known_.upper_bound(first);
  if (at != known_.begin() && std::prev(at)->second >= first) --at;
  while (at != known_.end() && at->first <= end) {
    first = std::min(first, at->first);
    end = std::max(end, at->second);
    at = known_.erase(at);
  }
  known_.emplace(first, end);
  has_ranges_ = true;
}

bool DamageBook::knows(std::uint64_t index) const {
  if (!has_ranges_) return false;
  const std::lock_guard lock{mutex_};
  const auto after = known_.upper_bound(index);
  return after != known_.begin() && std::prev(after)->second > index;
}

std::vector<Damage> DamageBook::unknown_parts(const Damage &damage) const {
  // A torn end is looked at only while no newer segment stands there, and its booking stands in that one.
  if (!damage.count) return {damage};
  if (*damage.count == 0)
    return headers_.contains(damage.first_index) ? std::vector<Damage>{} : std::vector{damage};
  std::vector<Damage> parts;
  const auto add = [&](std::uint64_t first, std::uint64_t end) {
    if (first >= end) return;
    Damage part = damage;
    part.first_index = first;
    part.count = end - first;
    parts.push_back(std::move(part));
  };
  std::uint64_t first = damage.first_index;
  const std::uint64_t end = damage.first_index + *damage.count;
  auto at = known_.upper_bound(first);
  if (at != known_.begin()) --at;
  for (; at != known_.end() && at->first < end; ++at) {
    add(first, std::min(at->first, end));
    first = std::max(first, at->second);
  }
  add(first, end);
  return parts;
}

std::vector<Damage> DamageBook::find(const Damage &damage) {
  const std::lock_guard lock{mutex_};
  std::vector<Damage> parts = unknown_parts(damage);
  for (const Damage &part : parts) {
    know_locked({part.first_index, part.count});
    waiting_.push_back(part);
  }
  return parts;
}

std::vector<Damage> DamageBook::take() {
  const std::lock_guard lock{mutex_};
  std::stable_partition(waiting_.begin(), waiting_.end(), [](const Damage &damage) { return !damage.count; });
  return std::exchange(waiting_, {});
}

void DamageBook::put_back(Damage damage) {
  const std::lock_guard lock{mutex_};
  waiting_.push_back(std::move(damage));
}

}  // namespace iptrackd::spool
