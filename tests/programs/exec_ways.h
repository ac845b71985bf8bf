// Ways to execute a program other than execve(2) of its path by the leader of a process.
#ifndef IPTRACKD_TESTS_PROGRAMS_EXEC_WAYS_H
#define IPTRACKD_TESTS_PROGRAMS_EXEC_WAYS_H

#include "options.h"

namespace iptrackd::oracle {

// A child becomes this program again, by how=
//   directory   execveat(2) of a name in an opened directory
//   descriptor  fexecve(3)
//   memfd       fexecve(3) of a copy without a name
//   vfork       execve(2) by a child that shares its parent's memory
//   spawn       posix_spawn(3)
//   thread      execve(2) by a thread that is not the leader
// False: none of these.
bool exec_in_a_way(const Options &options, Report &report);

}  // namespace iptrackd::oracle

#endif
