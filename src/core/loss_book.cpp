#include "core/loss_book.h"

#include <algorithm>
#include <utility>

namespace iptrackd {

void LossBook::add(const Loss &loss) {
  const std::lock_guard lock{mutex_};
  Loss entry = loss;
  const auto key_of = [](const Loss &of) {
    return Key{of.stage, of.kind, of.cause, of.uid, of.count.has_value()};
  };
  if (rows_.size() >= most_rows && !rows_.contains(key_of(entry))) entry.uid.reset();
  const auto [at, is_new] = rows_.try_emplace(key_of(entry), entry);
  if (is_new) return;
  Loss &row = at->second;
  row.from_unix_us = std::min(row.from_unix_us, entry.from_unix_us);
  row.to_unix_us = std::max(row.to_unix_us, entry.to_unix_us);
  if (row.count) row.count = *row.count + *entry.count;
  if (entry.counter) row.counter = std::max(row.counter.value_or(0), *entry.counter);
}

std::vector<Loss> LossBook::take() {
  const std::lock_guard lock{mutex_};
  std::vector<Loss> losses;
  losses.reserve(rows_.size());
  for (auto &[key, loss] : rows_) losses.push_back(std::move(loss));
  rows_.clear();
  return losses;
}

bool LossBook::empty() const {
  const std::lock_guard lock{mutex_};
  return rows_.empty();
}

}  // namespace iptrackd
