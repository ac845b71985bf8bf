#include "app/self_test_watch.h"

#include <utility>

#include "core/pause.h"

namespace iptrackd::app {
namespace {

using std::chrono::seconds;

// Often enough that what a dead hook loses is a matter of minutes; a test costs some 20 ms of one processor.
constexpr seconds test_interval{300};
// While something is wrong: it may pass, or be mended.
constexpr seconds interval_of_failure{10};

}  // namespace

SelfTestWatch::SelfTestWatch(loader::Tracer &tracer, spool::Spool &spool, loader::SelfTestOptions options,
                             Observer observer)
    : tracer_{tracer}, spool_{spool}, options_{std::move(options)}, observer_{std::move(observer)} {
  vouched_until_us_ = clock_.unix_us(clock_.sample());
}

void SelfTestWatch::run(std::stop_token stop) {
  while (!stop.stop_requested()) {
    const auto report = loader::run_self_test(tracer_, options_, stop);
    book_blindness(report);
    observer_(tracer_.hooks(), report);
    const auto pause = report.failures(tracer_.hooks()).empty() ? test_interval : interval_of_failure;
    pause_for(pause, stop);
  }
}

// How much a silent or refused hook has not seen nobody knows. It is booked when it is found, and then once
// in every `test_interval`, however often it is tested meanwhile.
void SelfTestWatch::book_blindness(const loader::SelfTestReport &report) {
  const std::int64_t now_us = clock_.unix_us(clock_.sample());
  const auto book = [&](const loader::HookStatus &status, const char *cause) {
    spool_.book(Loss{vouched_until_us_, now_us, "kernel", cause, loader::kind_of(status.hook->duty),
                     std::nullopt, std::nullopt});
  };
  const auto failures = report.failures(tracer_.hooks());
  const bool is_failing = !failures.empty();
  const bool is_due = now_us - vouched_until_us_ >= std::chrono::microseconds{test_interval}.count();
  if (is_failing && !was_failing_) spool_.note({now_us, "hook-lost", failures.front()});
  if (!is_failing && was_failing_) spool_.note({now_us, "hook-back", "every hook sees its deeds again"});
  if (is_failing && std::exchange(was_failing_, is_failing) && !is_due) return;
  was_failing_ = is_failing;
  for (const loader::HookStatus *status : report.silent) book(*status, "hook-silent");
  for (const loader::HookStatus &status : tracer_.hooks()) {
    if (status.state == loader::HookState::refused) book(status, "hook-refused");
  }
  vouched_until_us_ = now_us;
}

}  // namespace iptrackd::app
