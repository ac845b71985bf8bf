// Deeds: run an oracle, wait until the daemon's rows are there, compare every column.
#ifndef IPTRACKD_TESTS_SCENARIOS_DEED_H
#define IPTRACKD_TESTS_SCENARIOS_DEED_H

#include <functional>
#include <string>
#include <vector>

#include "process.h"
#include "rows.h"

namespace iptrackd::scenario {

using Facts = std::vector<Json>;
using Words = std::vector<std::string>;

[[nodiscard]] std::int64_t now_us();

// The rows that the oracle says it must have left. LAUNCH's arguments begin with argv[0]; where it names no
// program the oracle is run. Throws std::runtime_error with its message where it could not do its deed.
[[nodiscard]] Facts facts_of(Launch launch);
// The oracle with these words as arguments.
[[nodiscard]] Launch oracle(const Words &words);
[[nodiscard]] Path oracle_path();

// May a process say whose login it belongs to? Some kernels have no login users, some containers hide them.
[[nodiscard]] bool can_set_loginuid();

// Makes an event of this very program and waits until its row is there: rows come in the order of time, so
// whatever happened before is there too. Throws when it does not come.
void wait_for_rows(Rows &rows, Milliseconds timeout = std::chrono::seconds{20});

// The rows of the processes in FACTS since SINCE must be those of FACTS and no other; differences fail the
// test case.
void check_facts(Rows &rows, const Facts &facts, std::int64_t since);

// The usual case, on the shared daemon. ADJUST may complete an expected row with what only the test knows.
using Adjust = std::function<void(Json &)>;
void check_deed(const Launch &launch, const Adjust &adjust = {});
void check_deed(const Words &words, const Adjust &adjust = {});

}  // namespace iptrackd::scenario

#endif
