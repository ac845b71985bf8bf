// Spooler: moves final events from the pool into the spool, and only then lets those who brought them forget
// them. On the way it holds PAM records against what the kernel side saw of their callbacks. One thread.
#ifndef IPTRACKD_APP_SPOOLER_H
#define IPTRACKD_APP_SPOOLER_H

#include <atomic>
#include <vector>

#include "core/pool.h"
#include "loader/ring_reader.h"
#include "pam/fifo_reader.h"
#include "pam/witnesses.h"
#include "spool/spool.h"

namespace iptrackd::app {

class Spooler {
 public:
  // All must outlive the spooler.
  Spooler(Pool &pool, spool::Spool &spool, loader::RingReader &ring_reader, pam::FifoReader &fifo,
          pam::Witnesses::Options witnesses);

  // The thread's body: returns when every source of the pool has finished and all is in the spool, which is
  // closed then.
  void run();

  // How often it has looked for events: it rises as long as the thread lives. Thread-safe.
  [[nodiscard]] std::uint64_t rounds() const noexcept { return rounds_.load(); }

 private:
  void append_taken();
  void append_rebuilt();
  [[nodiscard]] bool admit(Event &event);

  Pool &pool_;
  spool::Spool &spool_;
  loader::RingReader &ring_reader_;
  pam::FifoReader &fifo_;
  pam::Witnesses witnesses_;
  std::vector<EventPtr> taken_;
  std::vector<const Event *> events_;
  std::atomic<std::uint64_t> rounds_{0};
};

}  // namespace iptrackd::app

#endif
