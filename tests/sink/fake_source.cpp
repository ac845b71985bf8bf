#include "sink/fake_source.h"

#include <algorithm>
#include <fstream>

namespace iptrackd::test {

std::string random_uuid() {
  std::string id;
  std::ifstream{"/proc/sys/kernel/random/uuid"} >> id;
  return id;
}

FakeSource::FakeSource(Origin origin) : origin_{std::move(origin)}, id_{random_uuid()} {}

FakeSource::FakeSource(const FakeSource &other)
    : origin_{other.origin_},
      id_{other.id_},
      salt_{other.salt_},
      records_{other.records_},
      first_{other.first_},
      acknowledged_{other.acknowledged_} {}

void FakeSource::add(const Entry &entry) {
  const std::lock_guard lock{mutex_};
  // Mixed, so that tokens use all 64 bits.
  const std::uint64_t token = (records_.size() + 1 + salt_ * 1000) * 0x9e3779b97f4a7c15U;
  records_.push_back({entry, token});
  grown_.notify_all();
}

void FakeSource::add_gap() {
  add(HostEvent{});
  records_.back().damaged = true;
}

void FakeSource::end() {
  const std::lock_guard lock{mutex_};
  ended_ = true;
  grown_.notify_all();
}

void FakeSource::forget_before(std::uint64_t index) {
  const std::lock_guard lock{mutex_};
  first_ = index;
}

std::uint64_t FakeSource::size() const {
  const std::lock_guard lock{mutex_};
  return records_.size();
}

Position FakeSource::position_at(std::uint64_t index) const {
  return {index, index == 0 ? 0 : records_[index - 1].token};
}

Position FakeSource::acknowledged() const {
  const std::lock_guard lock{mutex_};
  return acknowledged_;
}

Position FakeSource::first() const {
  const std::lock_guard lock{mutex_};
  return position_at(first_);
}

BatchSource::Lineage FakeSource::lineage(Position position) const {
  const std::lock_guard lock{mutex_};
  if (position.index > records_.size()) return Lineage::foreign;
  if (position.index < first_) return Lineage::gone;
  return position == position_at(position.index) ? Lineage::held : Lineage::foreign;
}

Result<void> FakeSource::fork() {
  ++forks;
  id_ = random_uuid();
  return {};
}

Result<BatchSource::Read> FakeSource::read(Position from, const BatchLimits &limits, Batch &batch,
                                           const std::stop_token &stop) {
  std::unique_lock lock{mutex_};
  batch.begin(origin_, from);
  grown_.wait_for(lock, stop, limits.linger, [&] { return records_.size() > from.index || ended_; });
  if (records_.size() <= from.index) return ended_ ? Read::ended : Read::nothing;
  const std::uint64_t end = std::min<std::uint64_t>(records_.size(), from.index + limits.rows);
  for (std::uint64_t i = from.index; i < end; ++i) {
    const Record &record = records_[i];
    if (record.damaged) {
      batch.extend_to(position_at(i + 1));
    } else if (const auto *event = std::get_if<Event>(&record.entry)) {
      batch.add_event(i, record.token) = *event;
    } else if (const auto *loss = std::get_if<Loss>(&record.entry)) {
      batch.add_loss(i, record.token) = *loss;
    } else {
      batch.add_host_event(i, record.token) = std::get<HostEvent>(record.entry);
    }
  }
  return Read::some;
}

void FakeSource::acknowledge(Position position) {
  const std::lock_guard lock{mutex_};
  acknowledged_ = position;
  acknowledgements.push_back(position);
}

}  // namespace iptrackd::test
