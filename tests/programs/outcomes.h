// Connects whose outcome comes by itself, while nobody waits for it in connect(2) or where nobody answers at
// all.
#ifndef IPTRACKD_TESTS_PROGRAMS_OUTCOMES_H
#define IPTRACKD_TESTS_PROGRAMS_OUTCOMES_H

#include "options.h"

namespace iptrackd::oracle {

// family=; a TCP connect to a listener whose queue is full, by outcome=
//   timed-out           after the SYN was sent twice, in about three seconds; how=blocking|poll bound=yes
//   interrupted         a signal ends connect(2); the attempt goes on, and succeeds a second later
//   interrupted-closed  a signal ends connect(2), and then the socket is closed
//   restarted           a signal interrupts connect(2), which the kernel then goes on with
//   send-timeout        SO_SNDTIMEO ends connect(2); the attempt goes on, and succeeds a second later
// False: none of these.
bool connect_to_full_queue(const Options &options, Report &report);

}  // namespace iptrackd::oracle

#endif
