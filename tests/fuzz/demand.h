// What must hold whatever the input is: where it does not, the fuzzer keeps the input and says what broke.
#ifndef IPTRACKD_TESTS_FUZZ_DEMAND_H
#define IPTRACKD_TESTS_FUZZ_DEMAND_H

#include <cstdio>
#include <cstdlib>

namespace iptrackd::fuzz {

inline void demand(bool holds, const char *what) {
  if (holds) return;
  std::fprintf(stderr, "demand not met: %s\n", what);
  std::abort();
}

}  // namespace iptrackd::fuzz

#endif
