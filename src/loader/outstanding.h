// Outstanding: the records of a ring that were read and are not yet safe. They become safe in any order, as
// the pool sorts them by time; the ring takes them back only from its beginning on.
//
// Thread-safe: the ring reader adds, whoever has made records safe settles.
#ifndef IPTRACKD_LOADER_OUTSTANDING_H
#define IPTRACKD_LOADER_OUTSTANDING_H

#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>

namespace iptrackd::loader {

class Outstanding {
 public:
  using Release = std::function<void(std::uint64_t position)>;
  // RELEASE is called with rising positions, up to which everything is settled; with the lock held.
  explicit Outstanding(Release release) : release_{std::move(release)} {}

  // A record was read that ends at END; these rise.
  void add(std::uint64_t end);
  // The record that ends at END is safe, or needs to be kept no longer. One that was never added is ignored.
  void settle(std::uint64_t end);
  [[nodiscard]] bool empty() const;

 private:
  struct Record {
    std::uint64_t end;
    bool settled;
  };
  mutable std::mutex mutex_;
  std::deque<Record> records_;  // by end
  Release release_;
};

}  // namespace iptrackd::loader

#endif
