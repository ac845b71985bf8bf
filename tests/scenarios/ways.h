// Deeds done in another way than by the system call: the rows are those of the system call, less what
// tracepoints cannot tell.
#ifndef IPTRACKD_TESTS_SCENARIOS_WAYS_H
#define IPTRACKD_TESTS_SCENARIOS_WAYS_H

#include <vector>

#include "deed.h"

namespace iptrackd::scenario {

// What tracepoints do not tell about a call that is no system call of its own: takes it from the rows that
// the oracle expects. The result is how many accepts there were of which only a loss can tell.
using Limit = int (*)(Facts &);

// The outcome of a UDP connect, and the address that it was made from.
[[nodiscard]] int no_outcome_of_udp_connect(Facts &facts);
// A TCP connect that is refused before any SYN.
[[nodiscard]] int no_connect_without_syn(Facts &facts);
// A bind that fails.
[[nodiscard]] int no_failed_bind(Facts &facts);
// An exec that fails.
[[nodiscard]] int no_failed_exec(Facts &facts);
// An accept, and with it the close of what was accepted.
[[nodiscard]] int no_accept(Facts &facts);

// As check_deed(); the case is skipped where the oracle says that this kernel has no such way. With fentry
// there are no limits.
void check_way(const Words &words, const std::vector<Limit> &of_tracepoints = {});

}  // namespace iptrackd::scenario

#endif
