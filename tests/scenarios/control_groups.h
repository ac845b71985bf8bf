// Control groups: where this host has them.
#ifndef IPTRACKD_TESTS_SCENARIOS_CONTROL_GROUPS_H
#define IPTRACKD_TESTS_SCENARIOS_CONTROL_GROUPS_H

#include "process.h"

namespace iptrackd::scenario {

// Where a hierarchy is mounted: the unified one, or one of version 1 with any of the controllers that batch
// systems use. Empty: nowhere.
[[nodiscard]] Path hierarchy(bool unified);

}  // namespace iptrackd::scenario

#endif
