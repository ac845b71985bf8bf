// Faults on purpose, to show that a broken hook is noticed. Only a build with the option
// IPTRACKD_PLANT_FAULTS has any, and the program iptrackd-with-faults of the tests: there the environment
// variable IPTRACKD_FAULT is "misnamed:PROGRAM" (its function does not exist) or "silent:PROGRAM" (said to be
// attached, and never run); several are separated by commas.
#ifndef IPTRACKD_LOADER_PLANTED_FAULT_H
#define IPTRACKD_LOADER_PLANTED_FAULT_H

#include <string_view>

#ifdef IPTRACKD_PLANT_FAULTS
#include <cstdlib>
#include <string>
#endif

namespace iptrackd::loader {

#ifdef IPTRACKD_PLANT_FAULTS
[[nodiscard]] inline bool has_fault(std::string_view fault, std::string_view program) {
  const char *planted = std::getenv("IPTRACKD_FAULT");
  const std::string list = "," + std::string{planted != nullptr ? planted : ""} + ",";
  return list.find("," + std::string{fault} + ":" + std::string{program} + ",") != std::string::npos;
}
#else
[[nodiscard]] constexpr bool has_fault(std::string_view /*fault*/, std::string_view /*program*/) {
  return false;
}
#endif

}  // namespace iptrackd::loader

#endif
