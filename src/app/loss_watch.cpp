#include "app/loss_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <utility>

namespace iptrackd::app {
namespace {

constexpr std::chrono::seconds interval{1};

}  // namespace

LossWatch::LossWatch(const loader::Tracer &tracer, const loader::RingReader &ring_reader,
                     const pam::FifoReader &fifo, sink::Writer &writer)
    : tracer_{tracer}, ring_reader_{ring_reader}, fifo_{fifo}, writer_{writer} {
  last_look_us_ = clock_.unix_us(clock_.sample());
}

void LossWatch::run(std::stop_token stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock{mutex};
  while (!stop.stop_requested()) {
    stopped.wait_for(lock, stop, interval, [] { return false; });
    look();
  }
}

void LossWatch::look() {
  this_look_us_ = clock_.unix_us(clock_.sample());
  look_at_kernel();
  look_at_hooks();
  const auto undecodable = ring_reader_.undecodable();
  book("decoder", "undecodable", std::nullopt, undecodable - std::exchange(last_undecodable_, undecodable));
  const auto counts = fifo_.counts();
  const auto fifo = counts.bad_records + counts.bad_leftovers + counts.lost_at_stop;
  book("fifo", "bad-record", std::nullopt, fifo - std::exchange(last_fifo_, fifo));
  last_look_us_ = this_look_us_;
}

void LossWatch::look_at_kernel() {
  const auto now = tracer_.counters();
  for (std::size_t kind = 0; kind < now.size(); ++kind) {
    for (std::size_t cause = IPTRACKD_CAUSE_SUBMITTED + 1; cause < now[kind].size(); ++cause) {
      const auto lost = now[kind][cause] - last_kernel_[kind][cause];
      kernel_lost_ += lost;
      book("kernel", loader::cause_name(cause), static_cast<Kind>(kind), lost);
    }
  }
  last_kernel_ = now;
}

// Runs that the kernel left out: each may have been an event.
void LossWatch::look_at_hooks() {
  const auto now = tracer_.hook_counters();
  for (const auto &status : tracer_.hooks()) {
    const auto number = status.hook->number;
    const auto misses = now.at(number).misses.value_or(0);
    const auto missed = misses - std::exchange(last_misses_.at(number), misses);
    kernel_lost_ += missed;
    book("kernel", "hook-missed", loader::kind_of(status.hook->duty), missed);
  }
}

void LossWatch::book(std::string_view stage, std::string_view cause, std::optional<Kind> kind,
                     std::uint64_t count) {
  if (count == 0) return;
  spdlog::warn("lost {} {} at stage {}: {}", count, kind ? kind_name(*kind) : "events", stage, cause);
  writer_.book(
      Loss{last_look_us_, this_look_us_, std::string{stage}, std::string{cause}, kind, std::nullopt, count});
}

}  // namespace iptrackd::app
