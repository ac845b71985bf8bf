#include "loader/plan.h"

#include <doctest/doctest.h>

#include <algorithm>

namespace iptrackd::loader {
namespace {

std::vector<HookStatus> every_hook() {
  std::vector<HookStatus> hooks;
  for (const Hook &hook : all_hooks()) hooks.push_back({&hook, "fexit/" + std::string{hook.program}, {}, {}});
  return hooks;
}

std::vector<HookStatus> planned(Choice choice, const Refusals &refusals = {}, const Probes &probes = {}) {
  auto hooks = every_hook();
  plan_hooks(hooks, probes, choice, refusals);
  return hooks;
}

const HookStatus &of(const std::vector<HookStatus> &hooks, iptrackd_hook number) {
  return *std::find_if(hooks.begin(), hooks.end(),
                       [&](const HookStatus &status) { return status.hook->number == number; });
}

bool any_attached(const std::vector<HookStatus> &hooks, Duty duty, Mechanism mechanism) {
  return std::any_of(hooks.begin(), hooks.end(), [&](const HookStatus &status) {
    return status.hook->duty == duty && status.hook->mechanism == mechanism &&
           status.state == HookState::attached;
  });
}

bool any_refused(const std::vector<HookStatus> &hooks) {
  return std::any_of(hooks.begin(), hooks.end(),
                     [](const HookStatus &status) { return status.state == HookState::refused; });
}

}  // namespace

TEST_CASE("fentry does every duty where nothing is refused") {
  const auto hooks = planned(Choice::automatic);
  for (const Duty duty : {Duty::failed_exec, Duty::close, Duty::connect, Duty::bind, Duty::accept}) {
    CHECK(any_attached(hooks, duty, Mechanism::fentry));
    CHECK_FALSE(any_attached(hooks, duty, Mechanism::tracepoint));
  }
  CHECK(of(hooks, IPTRACKD_HOOK_tcp_state).state == HookState::attached);
  CHECK(of(hooks, IPTRACKD_HOOK_bind_exit).reason == "fentry does it");
}

TEST_CASE("a duty of which one hook is refused is done by tracepoints, and only that one") {
  const auto hooks = planned(Choice::automatic, {{IPTRACKD_HOOK_bound_v6, "no such thing"}});
  CHECK(any_attached(hooks, Duty::bind, Mechanism::tracepoint));
  CHECK_FALSE(any_attached(hooks, Duty::bind, Mechanism::fentry));
  CHECK(any_attached(hooks, Duty::connect, Mechanism::fentry));
  CHECK_FALSE(any_refused(hooks));
  CHECK(of(hooks, IPTRACKD_HOOK_bound_v6).reason == "refused: no such thing");
  CHECK(of(hooks, IPTRACKD_HOOK_bound_v4).reason == "tracepoints do it, as bound_v6 is refused");
}

TEST_CASE("a forced mechanism has no substitute, and its other hooks are attached") {
  const auto hooks = planned(Choice::fentry, {{IPTRACKD_HOOK_bound_v6, "no such thing"}});
  CHECK(of(hooks, IPTRACKD_HOOK_bound_v6).state == HookState::refused);
  CHECK(of(hooks, IPTRACKD_HOOK_bound_v6).reason == "no such thing");
  CHECK(of(hooks, IPTRACKD_HOOK_bound_v4).state == HookState::attached);
  CHECK_FALSE(any_attached(hooks, Duty::bind, Mechanism::tracepoint));

  const auto others = planned(Choice::tracepoint);
  CHECK(any_attached(others, Duty::bind, Mechanism::tracepoint));
  CHECK_FALSE(any_attached(others, Duty::bind, Mechanism::fentry));
  CHECK(of(others, IPTRACKD_HOOK_exec_done).state == HookState::attached);
}

TEST_CASE("of alternatives the first that fits is taken") {
  CHECK(of(planned(Choice::fentry), IPTRACKD_HOOK_accepted).state == HookState::attached);
  CHECK(of(planned(Choice::fentry), IPTRACKD_HOOK_accepted_4).state == HookState::spare);

  const auto older = planned(Choice::fentry, {{IPTRACKD_HOOK_accepted, "no such function"}});
  CHECK(of(older, IPTRACKD_HOOK_accepted).state == HookState::spare);
  CHECK(of(older, IPTRACKD_HOOK_accepted_4).state == HookState::attached);

  const auto neither = planned(
      Choice::fentry, {{IPTRACKD_HOOK_accepted, "none"}, {IPTRACKD_HOOK_accepted_4, "another signature"}});
  CHECK(of(neither, IPTRACKD_HOOK_accepted_4).state == HookState::refused);
}

TEST_CASE("an optional hook may be absent") {
  const auto hooks = planned(Choice::automatic, {{IPTRACKD_HOOK_bound_mptcp, "no such function"}});
  CHECK(of(hooks, IPTRACKD_HOOK_bound_mptcp).state == HookState::absent);
  CHECK(any_attached(hooks, Duty::bind, Mechanism::fentry));
  CHECK_FALSE(any_refused(hooks));
}

TEST_CASE("what no probe needs is not attached") {
  Probes only_exec;
  only_exec.tcp_connect = only_exec.tcp_accept = only_exec.tcp_bind = only_exec.tcp_close = false;
  only_exec.udp_connect = only_exec.udp_bind = only_exec.udp_close = false;
  const auto hooks = planned(Choice::automatic, {}, only_exec);
  CHECK(of(hooks, IPTRACKD_HOOK_tcp_state).state == HookState::disabled);
  CHECK(of(hooks, IPTRACKD_HOOK_socket_closed).state == HookState::disabled);
  CHECK(of(hooks, IPTRACKD_HOOK_exec_done).state == HookState::attached);
}

TEST_CASE("what every system call pays for is attached only where it is asked for") {
  CHECK(of(planned(Choice::tracepoint), IPTRACKD_HOOK_compat_accept_exit).state == HookState::disabled);
  Probes probes;
  probes.compat_calls = true;
  CHECK(of(planned(Choice::tracepoint, {}, probes), IPTRACKD_HOOK_compat_accept_exit).state ==
        HookState::attached);
  CHECK(of(planned(Choice::fentry, {}, probes), IPTRACKD_HOOK_compat_accept_exit).state == HookState::spare);
}

TEST_CASE("optional alternatives are absent only where none fits") {
  const auto one = planned(Choice::tracepoint, {{IPTRACKD_HOOK_io_uring_completed_3, "another signature"},
                                                {IPTRACKD_HOOK_io_uring_completed_7, "another signature"}});
  CHECK(of(one, IPTRACKD_HOOK_io_uring_completed_4).state == HookState::attached);
  CHECK(of(one, IPTRACKD_HOOK_io_uring_completed_3).state == HookState::spare);
  const auto none = planned(Choice::tracepoint, {{IPTRACKD_HOOK_io_uring_completed_3, "no io_uring"},
                                                 {IPTRACKD_HOOK_io_uring_completed_4, "no io_uring"},
                                                 {IPTRACKD_HOOK_io_uring_completed_7, "no io_uring"}});
  CHECK(of(none, IPTRACKD_HOOK_io_uring_completed_3).state == HookState::absent);
  CHECK(any_attached(none, Duty::accept, Mechanism::tracepoint));
}

TEST_CASE("every duty can be done by both mechanisms or needs none") {
  for (const Duty duty : {Duty::processes, Duty::exec, Duty::tcp_state}) {
    CHECK(any_attached(planned(Choice::fentry), duty, Mechanism::any));
    CHECK(any_attached(planned(Choice::tracepoint), duty, Mechanism::any));
  }
}

TEST_CASE("what begins the use of a socket is watched for its close alone too") {
  Probes none;
  none.tcp_connect = none.tcp_accept = none.tcp_bind = none.tcp_close = false;
  none.udp_connect = none.udp_bind = none.udp_close = false;
  for (const Duty duty : {Duty::connect, Duty::accept, Duty::bind, Duty::close}) {
    CHECK_FALSE(any_attached(planned(Choice::automatic, {}, none), duty, Mechanism::fentry));
    Probes closes = none;
    closes.tcp_close = true;
    CHECK(any_attached(planned(Choice::automatic, {}, closes), duty, Mechanism::fentry));
  }
}

}  // namespace iptrackd::loader
