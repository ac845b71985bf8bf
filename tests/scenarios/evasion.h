// What the evasion scenarios share: a deed that the daemon and the control watch together.
#ifndef IPTRACKD_TESTS_SCENARIOS_EVASION_H
#define IPTRACKD_TESTS_SCENARIOS_EVASION_H

#include <optional>
#include <string>
#include <vector>

#include "naive.h"

namespace iptrackd::scenario {

struct Seen {
  Facts facts;
  NaiveReports naive;

  [[nodiscard]] int pid() const {
    return facts.front().at("pid");
  }  // of the oracle, whose start is the first fact
};

// The deed before the shared daemon and the control. The daemon's rows must be those of the oracle, as ADJUST
// completes them; what the control has is returned. Nothing where this kernel has no way to do it: then the
// case is skipped.
[[nodiscard]] std::optional<Seen> watch(const Launch &launch, const Adjust &adjust = {});

[[nodiscard]] std::vector<Json> of_kind(const std::vector<Json> &rows, const std::string &kind);
// The connect of a deed that has one, and the close of the socket that connected. Throw where there is none.
[[nodiscard]] Json connect_in(const Facts &facts);
[[nodiscard]] Json client_close_in(const Facts &facts);

// The rows are right, and the control has no such connect; it has the connect, but no such close.
void check_hidden_connect(const Words &words);
void check_hidden_close(const Words &words, const Adjust &adjust = {});

}  // namespace iptrackd::scenario

#endif
