// One daemon with the default configuration for all scenarios that need nothing else: starting one per case
// would take longer than the cases do.
//
// ctest starts it as a fixture (`run-scenarios --start-daemon DIR`, `--stop-daemon DIR`) and hands DIR over
// as IPTRACKD_TEST_STATE. Without that, the program starts its own at the first use, and stops it at its end.
#ifndef IPTRACKD_TESTS_SCENARIOS_SHARED_DAEMON_H
#define IPTRACKD_TESTS_SCENARIOS_SHARED_DAEMON_H

#include "rows.h"

namespace iptrackd::scenario {

[[nodiscard]] Rows &shared_rows();
// Stops the daemon that shared_rows() started, if it did. False: it ended badly, and said so on standard
// error.
[[nodiscard]] bool stop_own_daemon();

// Exit codes of the fixture's two programs.
[[nodiscard]] int start_shared_daemon(const Path &state);
[[nodiscard]] int stop_shared_daemon(const Path &state);

}  // namespace iptrackd::scenario

#endif
