// A case that this machine cannot run says why, and is then reported as skipped, never as passed.
#ifndef IPTRACKD_TESTS_SCENARIOS_SKIP_H
#define IPTRACKD_TESTS_SCENARIOS_SKIP_H

#include <doctest/doctest.h>

#include <string>

namespace iptrackd::scenario {

// The reason of the last case that was skipped; empty: none was.
inline std::string &skip_reason() {
  static std::string reason;
  return reason;
}

inline void skip(const std::string &reason) {
  skip_reason() = reason;
  // For the report of a program that runs many cases.
  MESSAGE("skipped: " << reason);
}

}  // namespace iptrackd::scenario

#endif
