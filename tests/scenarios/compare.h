// Compares what an oracle did with what the daemon wrote, column by column.
//
// Expected values are described in programs/facts.h. No column is left out: what the facts do not name must
// be NULL.
#ifndef IPTRACKD_TESTS_SCENARIOS_COMPARE_H
#define IPTRACKD_TESTS_SCENARIOS_COMPARE_H

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace iptrackd::scenario {

using Json = nlohmann::json;

// The two clocks that are read one after the other, in microseconds, beyond the span that an oracle gives.
inline constexpr std::int64_t ts_tolerance_us = 2000;
inline constexpr std::int64_t duration_tolerance_us = 1000;

// One line for each column that is not as expected: "column: expected X, got Y". Empty: they are the same.
[[nodiscard]] std::vector<std::string> differences(const Json &expected, const Json &row);

// The same over all rows of a deed: each expected row is paired with the most similar one of its kind;
// whatever is left over on either side is a difference too.
[[nodiscard]] std::vector<std::string> differences(const std::vector<Json> &expected,
                                                   const std::vector<Json> &rows);

}  // namespace iptrackd::scenario

#endif
