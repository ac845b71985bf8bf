// DamageBook: which damaged records have been counted, so that none is counted twice, by whomever it is found
// and however often: at the start, or by the reader. What is new waits here to be written.
//
// The booking is a record of the spool itself (a loss that names the indexes), written once and whole: what a
// later start finds damaged and named by such a record has been counted. A daemon killed before it wrote the
// record finds the damage anew.
//
// Thread-safe.
#ifndef IPTRACKD_SPOOL_DAMAGE_BOOK_H
#define IPTRACKD_SPOOL_DAMAGE_BOOK_H

#include <atomic>
#include <cstdint>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "spool/damage.h"

namespace iptrackd::spool {

class DamageBook {
 public:
  // A record that books RANGE stands in the spool.
  void know(const Range &range);
  // What of DAMAGE was not known; it waits to be written from now on.
  std::vector<Damage> find(const Damage &damage);
  // Whether the record INDEX has been counted as damaged. Fast where there is no damage.
  [[nodiscard]] bool knows(std::uint64_t index) const;
  // Takes what waits, that of unknown count first, or puts it back because it could not be written.
  [[nodiscard]] std::vector<Damage> take();
  void put_back(Damage damage);

 private:
  void know_locked(const Range &range);
  [[nodiscard]] std::vector<Damage> unknown_parts(const Damage &damage) const;

  mutable std::mutex mutex_;
  std::atomic<bool> has_ranges_{false};
  // Guarded by mutex_ from here on.
  std::map<std::uint64_t, std::uint64_t> known_;  // first index → end; apart from each other
  std::set<std::uint64_t> headers_;               // first indexes of damages of count 0
  std::vector<Damage> waiting_;
};

}  // namespace iptrackd::spool

#endif
