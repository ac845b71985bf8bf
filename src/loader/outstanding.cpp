#include "loader/outstanding.h"

#include <algorithm>

namespace iptrackd::loader {

void Outstanding::add(std::uint64_t end) {
  const std::scoped_lock lock{mutex_};
  records_.push_back({end, false});
}

void Outstanding::settle(std::uint64_t end) {
  const std::scoped_lock lock{mutex_};
  const auto found = std::lower_bound(records_.begin(), records_.end(), end,
                                      [](const Record &record, std::uint64_t at) { return record.end < at; });
  if (found == records_.end() || found->end != end) return;
  found->settled = true;
  std::uint64_t released = 0;
  while (!records_.empty() && records_.front().settled) {
    released = records_.front().end;
    records_.pop_front();
  }
  if (released != 0) release_(released);
}

bool Outstanding::empty() const {
  const std::scoped_lock lock{mutex_};
  return records_.empty();
}

}  // namespace iptrackd::loader
