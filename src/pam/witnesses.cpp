#include "pam/witnesses.h"

#include <algorithm>

#include "pam/parser.h"

namespace iptrackd::pam {
namespace {

// A callback reads its clock soon after its exec, but may be held up in between.
constexpr std::uint64_t longest_callback_ns = 3'600'000'000'000;

bool is_of_same_call(std::uint64_t exec_ns, std::uint64_t record_ns) {
  return exec_ns <= record_ns && record_ns - exec_ns <= longest_callback_ns;
}

}  // namespace

void Witnesses::saw(const Event &exec) {
  Call &call = calls_[exec.pid.value_or(0)];
  const bool is_answered = call.stored_boot_ns && is_of_same_call(exec.boot_ns, *call.stored_boot_ns);
  if (!is_answered) {
    call = {};
    call.exec = exec;
  }
  call.last_ns = std::max(call.last_ns, exec.boot_ns);
}

bool Witnesses::admit(Event &record) {
  const auto found = calls_.find(record.pid.value_or(0));
  const Call *call = found == calls_.end() ? nullptr : &found->second;
  if (call != nullptr && call->stored_boot_ns) {
    const std::uint64_t stored = *call->stored_boot_ns;
    // A rebuilt record has the time of the exec, which the callback's own is a little after. Without a
    // witness only the very same record is a repetition: the pid may have been another callback's.
    if (stored == record.boot_ns || (call->rebuilt && is_of_same_call(stored, record.boot_ns))) return false;
  }
  const bool is_vouched =
      call != nullptr && call->exec && is_of_same_call(call->exec->boot_ns, record.boot_ns);
  const bool should_be = options_.watched_since && record.boot_ns > *options_.watched_since;
  if (should_be && !is_vouched && !record.has(Mark::preexisting)) record.set(Mark::unvouched);
  return true;
}

void Witnesses::stored(const Event &record) {
  Call &call = calls_[record.pid.value_or(0)];
  call.exec.reset();
  call.stored_boot_ns = record.boot_ns;
  call.rebuilt = record.has(Mark::rebuilt);
  call.last_ns = std::max(call.last_ns, record.boot_ns);
}

void Witnesses::look(std::uint64_t now_boot_ns, const std::function<void(Event &)> &rebuilt) {
  const auto age = [now_boot_ns](std::uint64_t then) {
    return std::chrono::nanoseconds{now_boot_ns - std::min(now_boot_ns, then)};
  };
  for (auto at = calls_.begin(); at != calls_.end();) {
    Call &call = at->second;
    if (call.exec && age(call.exec->boot_ns) > options_.patience) {
      Event record;
      if (rebuild_record(*call.exec, record)) {
        rebuilt(record);
        stored(record);
      }
      call.exec.reset();
    }
    at = !call.exec && age(call.last_ns) > options_.memory ? calls_.erase(at) : std::next(at);
  }
}

}  // namespace iptrackd::pam
