// SelfTestWatch: performs the self-test at the start and every few minutes, books what a silent hook must
// have lost, and tells its observer. One thread.
#ifndef IPTRACKD_APP_SELF_TEST_WATCH_H
#define IPTRACKD_APP_SELF_TEST_WATCH_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <stop_token>

#include "core/clock.h"
#include "loader/self_test.h"
#include "loader/tracer.h"
#include "spool/spool.h"

namespace iptrackd::app {

class SelfTestWatch {
 public:
  using Observer =
      std::function<void(const std::vector<loader::HookStatus> &, const loader::SelfTestReport &)>;

  // TRACER and SPOOL must outlive the watch. OBSERVER is called in the watch's thread, after every test.
  SelfTestWatch(loader::Tracer &tracer, spool::Spool &spool, loader::SelfTestOptions options,
                Observer observer);

  // The thread's body. The first test takes privileges; AFTER_FIRST is called behind it.
  void run(std::stop_token stop, const std::function<void()> &after_first);

 private:
  void book_blindness(const loader::SelfTestReport &report);

  loader::Tracer &tracer_;
  spool::Spool &spool_;
  loader::SelfTestOptions options_;
  const Observer observer_;
  Clock clock_;
  std::int64_t vouched_until_us_ = 0;  // what happened later may be missing, and is not booked yet
  bool was_failing_ = false;
};

}  // namespace iptrackd::app

#endif
