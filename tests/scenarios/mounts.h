// Mounts: what a process sees of the file system, for Launch::prepare.
#ifndef IPTRACKD_TESTS_SCENARIOS_MOUNTS_H
#define IPTRACKD_TESTS_SCENARIOS_MOUNTS_H

#include "process.h"

namespace iptrackd::scenario {

// In a process that cannot report: these end it, with 125, where they fail.
void must(bool done);
// Mounts that nobody else sees.
void enter_own_mounts();
void bind_over(const Path &what, const Path &where);
// A file system of TYPE at WHERE, in place of what is mounted there.
void mount_anew(const char *type, const Path &where);

}  // namespace iptrackd::scenario

#endif
