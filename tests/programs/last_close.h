// Last closes of a connected socket that are no close(2) by the process that opened it.
#ifndef IPTRACKD_TESTS_PROGRAMS_LAST_CLOSE_H
#define IPTRACKD_TESTS_PROGRAMS_LAST_CLOSE_H

#include "options.h"

namespace iptrackd::oracle {

// The client's end of a TCP connection over IPv4 is closed by how=
//   range        close_range(2)
//   replace      dup2(2) of another file over its descriptor
//   copy         close(2) of a second descriptor, some time after that of the first
//   inherit      close(2) by a program that a child has become
//   exec         execve(2) by a child, its descriptor having FD_CLOEXEC
//   pass         close(2) by a process that got it over a Unix socket
//   pass-unread  the end of a Unix socket that nobody read it from
//   pass-cycle   the collection of Unix sockets that hold one another, and it
// False: none of these. `after-exec` is what the program of `inherit` and `exec` does.
bool close_last(const Options &options, Report &report);

}  // namespace iptrackd::oracle

#endif
