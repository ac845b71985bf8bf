// Backoff: how long to wait before the next attempt. Exponential with full jitter (uniform between 0 and a
// bound that doubles), so that a hundred hosts do not come back to a restarted database in step.
#ifndef IPTRACKD_SINK_BACKOFF_H
#define IPTRACKD_SINK_BACKOFF_H

#include <algorithm>
#include <chrono>
#include <random>

namespace iptrackd::sink {

class Backoff {
 public:
  struct Options {
    std::chrono::milliseconds first{100};
    // One second keeps the contract's promise that rows flow again within two seconds of the server's return.
    std::chrono::milliseconds longest{1000};
  };

  explicit Backoff(Options options) : options_{options}, bound_{options.first} {}

  // The next wait, at most `longest`.
  [[nodiscard]] std::chrono::milliseconds next() {
    using std::chrono::milliseconds;
    std::uniform_int_distribution<milliseconds::rep> uniform{0, bound_.count()};
    bound_ = std::min(bound_ * 2, options_.longest);
    return milliseconds{uniform(random_)};
  }
  // The bound of the next wait.
  [[nodiscard]] std::chrono::milliseconds bound() const noexcept { return bound_; }
  // After a success.
  void reset() noexcept { bound_ = options_.first; }

 private:
  Options options_;
  std::chrono::milliseconds bound_;
  std::minstd_rand random_{std::random_device{}()};
};

}  // namespace iptrackd::sink

#endif
