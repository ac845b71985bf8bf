#include "loader/self_test.h"

#include <netinet/in.h>

#include <algorithm>
#include <optional>
#include <thread>

#include "loader/self_test_deeds.h"
#include "loader/surroundings.h"

namespace iptrackd::loader {
namespace {

// What was seen in any of so many rounds works: on a busy host a round may take longer than we wait.
constexpr int rounds = 3;
constexpr std::chrono::seconds time_for_deeds{10};
constexpr std::chrono::seconds time_to_be_seen{3};

// The deed that HOOK must see; 0 where there is none.
std::uint32_t deed_of(iptrackd_hook hook) {
  switch (hook) {
    case IPTRACKD_HOOK_compat_execve_done:
    case IPTRACKD_HOOK_compat_execveat_done:
    case IPTRACKD_HOOK_compat_exec_exit:
    case IPTRACKD_HOOK_compat_accept_exit:
    case IPTRACKD_HOOK_old_process:
    case IPTRACKD_HOOK_old_socket:
      return 0;
    case IPTRACKD_HOOK_io_uring_completed_3:
    case IPTRACKD_HOOK_io_uring_completed_4:
    case IPTRACKD_HOOK_io_uring_completed_7:
      return Deeds::io_uring;
    case IPTRACKD_HOOK_bound_mptcp:
      return Deeds::mptcp;
    case IPTRACKD_HOOK_bound_v6:
    case IPTRACKD_HOOK_bind_v6:
    case IPTRACKD_HOOK_bind_done_v6:
    case IPTRACKD_HOOK_connect_v6:
      return Deeds::ipv6;
    case IPTRACKD_HOOK_process_free:
    case IPTRACKD_HOOK_process_exit:
    case IPTRACKD_HOOK_process_fork:
    case IPTRACKD_HOOK_exec_done:
    case IPTRACKD_HOOK_exec_opened_2:
    case IPTRACKD_HOOK_exec_opened_3:
    case IPTRACKD_HOOK_exec_failed_4:
    case IPTRACKD_HOOK_exec_failed_1:
    case IPTRACKD_HOOK_execve_done:
    case IPTRACKD_HOOK_execveat_done:
    case IPTRACKD_HOOK_execveat_done_bare:
    case IPTRACKD_HOOK_execve_enter:
    case IPTRACKD_HOOK_execve_exit:
    case IPTRACKD_HOOK_execveat_enter:
    case IPTRACKD_HOOK_execveat_exit:
      return Deeds::processes;
    default:
      return Deeds::ipv4;
  }
}

bool anything_silent(const Tracer &tracer, std::uint32_t done) {
  const auto &hooks = tracer.hooks();
  return std::any_of(hooks.begin(), hooks.end(), [&](const HookStatus &status) {
    return status.state == HookState::attached && (deed_of(status.hook->number) & done) != 0 &&
           !tracer.saw_self_test(status.hook->number);
  });
}

bool anything_refused(const Tracer &tracer) {
  const auto &hooks = tracer.hooks();
  return std::any_of(hooks.begin(), hooks.end(),
                     [](const HookStatus &status) { return status.state == HookState::refused; });
}

bool uses_tracepoints(const Tracer &tracer, std::optional<Duty> duty = {}) {
  const auto &hooks = tracer.hooks();
  return std::any_of(hooks.begin(), hooks.end(), [&](const HookStatus &status) {
    return status.state == HookState::attached && status.hook->mechanism == Mechanism::tracepoint &&
           (!duty || status.hook->duty == *duty);
  });
}

bool is_wanted(Way way, const Probes &probes) {
  const WaySign sign = sign_of(way);
  if (sign.kind == IPTRACKD_KIND_ACCEPT) return probes.tcp_accept;
  if (sign.kind == IPTRACKD_KIND_BIND) return probes.tcp_bind;
  return sign.protocol == IPPROTO_UDP ? probes.udp_connect : probes.tcp_connect;
}

std::vector<std::string_view> unseen_ways(Tracer &tracer, const WayPorts &ports, const Probes &probes) {
  std::vector<std::string_view> names;
  for (std::size_t i = 0; i < way_count; ++i) {
    const Way way{static_cast<std::uint8_t>(i)};
    if (!is_wanted(way, probes)) continue;
    const bool is_hidden = is_hidden_from_tracepoints(way) && uses_tracepoints(tracer, Duty::accept);
    const bool is_missing = ports[i] != 0 && !tracer.witness().saw(way, ports[i]);
    if (is_hidden || is_missing) names.push_back(way_name(way));
  }
  return names;
}

bool anything_pending(Tracer &tracer) {
  const auto rings = tracer.rings();
  return std::any_of(rings.begin(), rings.end(), [](const Ring &ring) { return ring.pending() != 0; });
}

SelfTestReport judge(Tracer &tracer, const Performed &performed, const Probes &probes) {
  const std::uint32_t done = performed.deeds;
  SelfTestReport report;
  for (const HookStatus &status : tracer.hooks()) {
    if (status.state != HookState::attached || status.mechanism() == "iter")
      continue;  // run to its end already
    if ((deed_of(status.hook->number) & done) == 0) {
      report.untested.push_back(&status);
    } else if (!tracer.saw_self_test(status.hook->number)) {
      report.silent.push_back(&status);
    }
  }
  if ((done & Deeds::outside) == 0) report.remark = "it could not leave the daemon's own control group";
  auto missing = tracer.witness().missing(probes);
  report.unseen_ways = unseen_ways(tracer, performed.ports, probes);
  if (!uses_tracepoints(tracer)) {
    missing.insert(missing.end(), report.unseen_ways.begin(), report.unseen_ways.end());
  }
  const bool is_explained = !report.silent.empty() || anything_refused(tracer);
  if (is_explained || missing.empty()) return report;
  if ((done & Deeds::ipv4) == 0) {
    report.remark =
        "no connection over the loopback interface can be made here, so that only execs were tested";
  } else if (anything_pending(tracer)) {
    report.remark = "the rings are full, so that only the hooks were tested and not the way of their events";
  } else {
    report.missing = missing;
  }
  return report;
}

SelfTestReport untestable(std::string reason) {
  SelfTestReport report;
  report.performed = false;
  report.remark = "nothing was tested: " + std::move(reason);
  return report;
}

// One round: the deeds, and time for the hooks and the rings.
Result<Performed> perform_round(Tracer &tracer, const SelfTestOptions &options, const std::stop_token &stop) {
  auto process = SelfTestProcess::start({!uses_tracepoints(tracer, Duty::accept), options.outside});
  if (!process) return tl::unexpected{process.error()};
  tracer.watch_self_test(static_cast<std::uint32_t>(process->pid()));
  auto done = process->perform(time_for_deeds, stop);
  const auto deadline = std::chrono::steady_clock::now() + time_to_be_seen;
  while (done && !stop.stop_requested() && std::chrono::steady_clock::now() < deadline) {
    if (options.drain) options.drain();
    if (!anything_silent(tracer, done->deeds) && tracer.witness().missing(options.probes).empty()) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{5});
  }
  tracer.watch_self_test(0);
  return done;
}

}  // namespace

SelfTestReport run_self_test(Tracer &tracer, const SelfTestOptions &options, std::stop_token stop) {
  if (!in_initial_pid_namespace())
    return untestable("the daemon is not in the host's pid namespace (--pid=host)");
  tracer.witness().forget();
  tracer.forget_self_test();
  for (int round = 1;; ++round) {
    const auto done = perform_round(tracer, options, stop);
    if (stop.stop_requested()) return untestable("it was interrupted");
    const bool is_last = round == rounds;
    if (!done && is_last) return untestable(done.error().message());
    if (!done) continue;
    auto report = judge(tracer, *done, options.probes);
    if (is_last || (report.silent.empty() && report.missing.empty())) return report;
  }
}

std::vector<std::string> SelfTestReport::failures(const std::vector<HookStatus> &hooks) const {
  std::vector<std::string> sentences;
  for (const HookStatus &status : hooks) {
    if (status.state != HookState::refused) continue;
    sentences.push_back("hook " + status.target + " is refused, so there will be no " +
                        std::string{status.hook->purpose} + ": " + status.reason);
  }
  for (const HookStatus *status : silent) {
    sentences.push_back("hook " + status->target + " is attached and stays silent, so there is no " +
                        std::string{status->hook->purpose});
  }
  for (const std::string_view name : missing) {
    sentences.push_back("the event of a " + std::string{name} +
                        " does not arrive, although its hooks see it");
  }
  return sentences;
}

void drain_rings(Tracer &tracer) {
  for (Ring &ring : tracer.rings()) {
    for (std::size_t budget = ring.pending(); budget != 0;) {
      const auto record = ring.front();
      if (!record) break;
      tracer.witness().note(*record);
      budget -= std::min(budget, record->size());
      ring.release_to(ring.advance());
    }
  }
}

}  // namespace iptrackd::loader
