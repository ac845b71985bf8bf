// LossBook: losses that wait to be written. Losses of one stage, kind, cause and user become one row that
// spans them all, so that the book stays small however long the database is away. A known and an unknown
// count are never added up. Thread-safe.
#ifndef IPTRACKD_CORE_LOSS_BOOK_H
#define IPTRACKD_CORE_LOSS_BOOK_H

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "core/loss.h"

namespace iptrackd {

class LossBook {
 public:
  // Beyond that many rows, the user is no longer told apart: uids are what an attacker could multiply.
  static constexpr std::size_t most_rows = 1024;

  void add(const Loss &loss);
  // Takes everything out, ordered by stage, kind, cause and user.
  [[nodiscard]] std::vector<Loss> take();
  [[nodiscard]] bool empty() const;

 private:
  using Key = std::tuple<std::string, std::optional<Kind>, std::string, std::optional<std::uint32_t>, bool>;

  mutable std::mutex mutex_;
  std::map<Key, Loss> rows_;
};

}  // namespace iptrackd

#endif
