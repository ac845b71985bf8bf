// The self-test: a process performs each deed, and every attached hook must have seen it, and every kind of
// event must have come out of the rings. Only that tells a hook that works from one that is attached and
// never called.
#ifndef IPTRACKD_LOADER_SELF_TEST_H
#define IPTRACKD_LOADER_SELF_TEST_H

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "loader/tracer.h"

namespace iptrackd::loader {

struct SelfTestReport {
  std::vector<const HookStatus *> silent;  // attached, and did not see its deed
  std::vector<const HookStatus *>
      untested;  // attached; its deed cannot be performed here (no IPv6, no MPTCP, no 32 bit)
  std::vector<std::string_view> missing;  // events that every hook saw and that did not arrive: "UDP bind"
  // Ways past the system calls that these hooks do not show: "refused bind by io_uring". What fentry does not
  // show is missing.
  std::vector<std::string_view> unseen_ways;
  std::string remark;     // what the result does not cover
  bool performed = true;  // false: nothing could be tested, and the remark says why

  // One sentence for each thing that is wrong; for a hook that is refused, too.
  [[nodiscard]] std::vector<std::string> failures(const std::vector<HookStatus> &hooks) const;
};

struct SelfTestOptions {
  Probes probes;
  // Called while events are awaited, where no RingReader drains the rings.
  std::function<void()> drain;
  // Are the deeds performed in the root of the host's control groups? That takes privileges, and tells
  // whether hooks on the daemon's own group were taken for the host's.
  bool outside = true;
};

// One at a time. TRACER's events of this test go to its witness. STOP ends it early, and then it has found
// nothing.
[[nodiscard]] SelfTestReport run_self_test(Tracer &tracer, const SelfTestOptions &options,
                                           std::stop_token stop = {});

// Empties the rings, for a Tracer without a RingReader.
void drain_rings(Tracer &tracer);

}  // namespace iptrackd::loader

#endif
