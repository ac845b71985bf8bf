#include "app/loss_watch.h"

#include <spdlog/spdlog.h>

#include <chrono>

#include "core/pause.h"

namespace iptrackd::app {
namespace {

constexpr std::chrono::seconds interval{1};

}  // namespace

LossWatch::LossWatch(const loader::Tracer &tracer, const loader::RingReader &ring_reader,
                     const pam::FifoReader &fifo, spool::Spool &spool)
    : tracer_{tracer}, ring_reader_{ring_reader}, fifo_{fifo}, spool_{spool} {
  last_look_us_ = clock_.unix_us(clock_.sample());
  for (const Loss &booked : spool.recovery().counters) {
    if (booked.stage == "kernel")
      last_kernel_[{booked.cause, booked.kind, booked.uid}] = booked.counter.value_or(0);
  }
}

void LossWatch::run(std::stop_token stop, const std::function<void()> &looked) {
  while (!stop.stop_requested()) {
    pause_for(interval, stop);
    look();
    looked();
  }
}

void LossWatch::look() {
  this_look_us_ = clock_.unix_us(clock_.sample());
  look_at_kernel();
  look_at_hooks();
  look_at_users();
  const auto in_between = [this](std::string stage, std::string cause, std::uint64_t count) {
    book({last_look_us_, this_look_us_, std::move(stage), std::move(cause), {}, {}, count});
  };
  const auto undecodable = ring_reader_.undecodable();
  in_between("decoder", "undecodable", undecodable - std::exchange(last_undecodable_, undecodable));
  const auto counts = fifo_.counts();
  const auto fifo = counts.bad_records + counts.bad_leftovers + counts.lost_at_stop;
  in_between("fifo", "bad-record", fifo - std::exchange(last_fifo_, fifo));
  last_look_us_ = this_look_us_;
}

void LossWatch::look_at_kernel() {
  const auto now = tracer_.counters();
  for (std::size_t kind = 0; kind < now.size(); ++kind) {
    for (std::size_t cause = IPTRACKD_CAUSE_SUBMITTED + 1; cause < now[kind].size(); ++cause) {
      if (cause == IPTRACKD_CAUSE_WHITELISTED) continue;  // no loss
      if (cause == IPTRACKD_CAUSE_OVER_BUDGET) continue;  // see look_at_users()
      look_at_counter({std::string{loader::cause_name(cause)}, static_cast<Kind>(kind), {}},
                      now[kind][cause]);
    }
  }
}

// Runs that the kernel left out: each may have been an event.
void LossWatch::look_at_hooks() {
  const auto counters = tracer_.hook_counters();
  std::map<std::optional<Kind>, std::uint64_t> misses;
  for (const auto &status : tracer_.hooks()) {
    misses[loader::kind_of(status.hook->duty)] += counters.at(status.hook->number).misses.value_or(0);
  }
  for (const auto &[kind, missed] : misses) look_at_counter({"hook-missed", kind, {}}, missed);
}

void LossWatch::look_at_users() {
  const std::string cause{loader::cause_name(IPTRACKD_CAUSE_OVER_BUDGET)};
  for (const auto &[uid, refused] : tracer_.refusals_by_user()) {
    for (std::size_t kind = 0; kind < refused.size(); ++kind) {
      if (refused[kind] != 0) look_at_counter({cause, static_cast<Kind>(kind), uid}, refused[kind]);
    }
  }
}

// A counter of the kernel side, which may be older than this daemon: what another has booked already stands
// in the spool. One that is lower than it was has begun anew, with other programs.
void LossWatch::look_at_counter(const Counted &counted, std::uint64_t now) {
  auto &last = last_kernel_[counted];
  const std::uint64_t lost = now < last ? now : now - last;
  last = now;
  kernel_lost_ += lost;
  book({last_look_us_, this_look_us_, "kernel", counted.cause, counted.kind, counted.uid, lost, now});
}

void LossWatch::book(Loss loss) {
  if (loss.count == 0U) return;
  spdlog::warn("lost {} {} at stage {}: {}", *loss.count, loss.kind ? kind_name(*loss.kind) : "events",
               loss.stage, loss.cause);
  spool_.book(loss);
}

}  // namespace iptrackd::app
