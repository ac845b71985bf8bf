// LossWatch: compares the counters of the stages every second, and books what was lost in between. One
// thread.
#ifndef IPTRACKD_APP_LOSS_WATCH_H
#define IPTRACKD_APP_LOSS_WATCH_H

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "core/clock.h"
#include "core/event.h"
#include "loader/ring_reader.h"
#include "loader/tracer.h"
#include "pam/fifo_reader.h"
#include "spool/spool.h"

namespace iptrackd::app {

class LossWatch {
 public:
  // All must outlive the watch. What the spool recovered says up to where the kernel side's counters are
  // booked.
  LossWatch(const loader::Tracer &tracer, const loader::RingReader &ring_reader, const pam::FifoReader &fifo,
            spool::Spool &spool);

  // The thread's body; after STOP it looks a last time. LOOKED is called after each look.
  void run(std::stop_token stop, const std::function<void()> &looked);

  // Events that the kernel side has lost so far. Thread-safe.
  [[nodiscard]] std::uint64_t kernel_lost() const noexcept { return kernel_lost_.load(); }

 private:
  void look();
  void look_at_kernel();
  void look_at_hooks();
  void look_at_users();
  // What a counter of the kernel side is about.
  struct Counted {
    std::string cause;
    std::optional<Kind> kind;
    std::optional<std::uint32_t> uid;
    friend bool operator<(const Counted &a, const Counted &b) {
      return std::tie(a.cause, a.kind, a.uid) < std::tie(b.cause, b.kind, b.uid);
    }
  };
  void look_at_counter(const Counted &counted, std::uint64_t now);
  void book(Loss loss);

  const loader::Tracer &tracer_;
  const loader::RingReader &ring_reader_;
  const pam::FifoReader &fifo_;
  spool::Spool &spool_;
  Clock clock_;
  std::int64_t last_look_us_ = 0;
  std::int64_t this_look_us_ = 0;
  std::map<Counted, std::uint64_t> last_kernel_;
  std::uint64_t last_undecodable_ = 0;
  std::uint64_t last_fifo_ = 0;
  std::atomic<std::uint64_t> kernel_lost_{0};
};

}  // namespace iptrackd::app

#endif
