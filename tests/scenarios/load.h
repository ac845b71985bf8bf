// Load: many events at once, counted instead of compared.
#ifndef IPTRACKD_TESTS_SCENARIOS_LOAD_H
#define IPTRACKD_TESTS_SCENARIOS_LOAD_H

#include "deed.h"

namespace iptrackd::scenario {

// What programs/generator says it did.
struct Generated {
  int sid = 0;
  Counts events;
  std::int64_t total = 0;
  std::int64_t from = 0;  // microseconds since 1970
  std::int64_t to = 0;
  double seconds = 0;
};
[[nodiscard]] Generated generated_by(const std::string &output);
[[nodiscard]] Launch generator(const Words &words);
// One that takes longer than TIMEOUT throws.
[[nodiscard]] Generated generate(const Words &words, Milliseconds timeout = std::chrono::seconds{60});

[[nodiscard]] std::int64_t sum(const Counts &counts);

// All losses since a moment. `unknown`: rows whose count is NULL.
struct Lost {
  std::int64_t count = 0;
  int unknown = 0;
};
[[nodiscard]] Lost lost_since(Rows &rows, std::int64_t since);

// Each event of GENERATED is a row, no more and no fewer, and nothing was lost of anybody since SINCE.
void check_stored_once(Rows &rows, const Generated &generated, std::int64_t since);

// A load that lasts: so many events in a second.
inline constexpr int lasting_rate = 1000;

}  // namespace iptrackd::scenario

#endif
