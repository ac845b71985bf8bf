// What an oracle knows about itself, read from system calls and /proc and never from the daemon under test.
//
// An expected row is a JSON object with the column names of the view iptrackd.activity. A value is either
// exact or one of {"between": [LOW, HIGH]} and {"any_of": [VALUE, ...]}. Times are microseconds: `ts` since
// 1970 UTC. A column that is left out must be NULL.
#ifndef IPTRACKD_TESTS_PROGRAMS_FACTS_H
#define IPTRACKD_TESTS_PROGRAMS_FACTS_H

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace iptrackd::oracle {

using Json = nlohmann::json;

// One instant on two clocks: the wall clock dates a deed, the steady one measures it.
struct Moment {
  std::int64_t unix_us = 0;
  std::int64_t steady_ns = 0;
};
[[nodiscard]] Moment now();

// A deed happened somewhere between FROM and TO.
struct Span {
  Moment from;
  Moment to;
};
[[nodiscard]] Json ts_within(const Span &span);
// The time from BEGUN to ENDED. Both are known only as spans, so that the result is a range: what lies
// outside it cannot be explained by the oracle being preempted.
[[nodiscard]] Json duration_between(const Span &begun, const Span &ended);

void to_json(Json &json, const Moment &moment);
void from_json(const Json &json, Moment &moment);
void to_json(Json &json, const Span &span);
void from_json(const Json &json, Span &span);

// BYTES as the database shows them: what is not valid UTF-8 as \xHH, a backslash before xHH as \x5c.
[[nodiscard]] std::string shown(std::string_view bytes);

// The columns that say who: of the calling thread, now.
[[nodiscard]] Json who();
// A row of KIND by the calling thread; RESULT is 0 or a negative errno.
[[nodiscard]] Json row(std::string_view kind, const Span &when, int result);
// The exec row that began this program. Valid only while it is still what it was at the start of main.
[[nodiscard]] Json own_exec(const Moment &main_began);

// The whole file, which may be one of /proc; empty when it cannot be read.
[[nodiscard]] std::string slurp(const std::string &path);
// This program's own executable.
[[nodiscard]] std::string own_path();
// The kernel's pid of this process in the namespace of /proc, which is the host's even inside a pid
// namespace.
[[nodiscard]] int host_pid();

// Prints "WHAT: strerror" and ends the program with status 1: an oracle that cannot do its deed has nothing
// to say.
[[noreturn]] void die(const std::string &what);

}  // namespace iptrackd::oracle

#endif
