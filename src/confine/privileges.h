// Privileges: what a thread gives up once all that needs them is done. The daemon stays user 0, whose files,
// pins and sockets it uses, but as one whom the kernel allows no more than any other user.
//
// Each of these is for the calling thread and those that it starts later. Fault: environment.
#ifndef IPTRACKD_CONFINE_PRIVILEGES_H
#define IPTRACKD_CONFINE_PRIVILEGES_H

#include <functional>

#include "core/result.h"

namespace iptrackd::confine {

// Of the whole process: nobody reads its memory, where passwords are, from a core dump, or as a debugger
// without CAP_SYS_PTRACE. What the system refuses of it is left out.
void protect_process() noexcept;

// No program that it executes gains privileges again, whatever bits its file has.
[[nodiscard]] Result<void> forbid_new_privileges();

// Every capability goes, out of the bounding set too: that takes CAP_SETPCAP; without it no_new_privs must be
// set. WORKS_WITHOUT is asked while none is effective: where it says no, CAP_BPF and CAP_PERFMON stay (before
// 5.19 the kernel shows maps to nobody else). Says whether they do.
[[nodiscard]] Result<bool> drop_capabilities(const std::function<bool()> &works_without);

}  // namespace iptrackd::confine

#endif
