// Confinement: the daemon gives up what it needed only to start.
#ifndef IPTRACKD_APP_CONFINEMENT_H
#define IPTRACKD_APP_CONFINEMENT_H

#include "core/result.h"
#include "loader/tracer.h"

namespace iptrackd::app {

// For the calling thread and those that it starts later: no capability but those without which this kernel
// does not show TRACER's maps, no way to gain any, and a filter of system calls, where the kernel has such.
// Fault: environment.
[[nodiscard]] Result<void> confine_thread(const loader::Tracer &tracer);

}  // namespace iptrackd::app

#endif
