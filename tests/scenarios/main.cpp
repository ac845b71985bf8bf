// run-scenarios [doctest options] | run-scenarios --start-daemon DIR | run-scenarios --stop-daemon DIR
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include <exception>
#include <iostream>

#include "shared_daemon.h"
#include "skip.h"

namespace {

// What CMake gives ctest as SKIP_RETURN_CODE.
constexpr int skipped = 77;

int run_cases(int count, char **arguments) {
  using namespace iptrackd::scenario;
  doctest::Context context;
  context.applyCommandLine(count, arguments);
  const int result = context.run();
  const bool stopped_well = stop_own_daemon();
  if (result != 0 || !stopped_well) return 1;
  if (skip_reason().empty()) return 0;
  std::cout << "skipped: " << skip_reason() << std::endl;
  return skipped;
}

}  // namespace

int main(int count, char **arguments) {
  using namespace iptrackd::scenario;
  const std::string first = count > 1 ? arguments[1] : "";
  try {
    if (count == 3 && first == "--start-daemon") return start_shared_daemon(arguments[2]);
    if (count == 3 && first == "--stop-daemon") return stop_shared_daemon(arguments[2]);
    return run_cases(count, arguments);
  } catch (const std::exception &error) {
    std::cerr << "scenarios: " << error.what() << std::endl;
    return 1;
  }
}
