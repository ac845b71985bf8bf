// The system calls that the daemon needs once it has started: its rings and maps, its files, libpq with name
// look-ups and TLS, and the deeds of the self-test. All others fail with EPERM, in a program that it executes
// too.
#ifndef IPTRACKD_CONFINE_SYSTEM_CALLS_H
#define IPTRACKD_CONFINE_SYSTEM_CALLS_H

#include "core/result.h"

namespace iptrackd::confine {

// For the calling thread and those that it starts later; takes no_new_privs or CAP_SYS_ADMIN. Fault:
// environment: this kernel has no such filter, or refuses it.
[[nodiscard]] Result<void> filter_system_calls();

}  // namespace iptrackd::confine

#endif
