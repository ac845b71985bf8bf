// LossWatch: compares the counters of the stages every second, and books what was lost in between. One
// thread.
#ifndef IPTRACKD_APP_LOSS_WATCH_H
#define IPTRACKD_APP_LOSS_WATCH_H

#include <array>
#include <atomic>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string_view>

#include "core/clock.h"
#include "core/event.h"
#include "loader/ring_reader.h"
#include "loader/tracer.h"
#include "pam/fifo_reader.h"
#include "sink/writer.h"

namespace iptrackd::app {

class LossWatch {
 public:
  // All must outlive the watch.
  LossWatch(const loader::Tracer &tracer, const loader::RingReader &ring_reader, const pam::FifoReader &fifo,
            sink::Writer &writer);

  // The thread's body; after STOP it looks a last time.
  void run(std::stop_token stop);

  // Events that the kernel side has lost so far. Thread-safe.
  [[nodiscard]] std::uint64_t kernel_lost() const noexcept { return kernel_lost_.load(); }

 private:
  void look();
  void look_at_kernel();
  void look_at_hooks();
  void book(std::string_view stage, std::string_view cause, std::optional<Kind> kind, std::uint64_t count);

  const loader::Tracer &tracer_;
  const loader::RingReader &ring_reader_;
  const pam::FifoReader &fifo_;
  sink::Writer &writer_;
  Clock clock_;
  std::int64_t last_look_us_ = 0;
  std::int64_t this_look_us_ = 0;
  loader::KernelCounters last_kernel_{};
  std::array<std::uint64_t, IPTRACKD_HOOK_COUNT> last_misses_{};
  std::uint64_t last_undecodable_ = 0;
  std::uint64_t last_fifo_ = 0;
  std::atomic<std::uint64_t> kernel_lost_{0};
};

}  // namespace iptrackd::app

#endif
