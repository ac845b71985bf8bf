// The deeds, one function and one file each. Every socket and process that a deed makes is on its report, so
// that a test can demand that there is no other row.
#ifndef IPTRACKD_TESTS_PROGRAMS_DEEDS_H
#define IPTRACKD_TESTS_PROGRAMS_DEEDS_H

#include "options.h"

namespace iptrackd::oracle {

// Of every deed: way=WAY of=KIND[+KIND...]: calls of these kinds are made in that way (ways.h); without of=
// those of the deed's own kind.

// proto= family= outcome=accepted|refused|unreachable|forbidden|delayed|abandoned how=blocking|poll|connect
// bound=yes; outcomes that come late or not at all: outcomes.h
void connect_deed(const Options &options, Report &report);
// family= call=accept|accept4 by=self|child, empty=yes: also tries to accept where nobody waits, early=yes:
// asks for the connection before there is one, again=yes: accepts a second one
void accept_deed(const Options &options, Report &report);
// proto= family= outcome=free|in-use|unavailable address=loopback|any
void bind_deed(const Options &options, Report &report);
// proto=tcp|udp|mptcp server=tcp|mptcp family= how=close|exit|kill|dup|fork|shutdown|reset|unread sent=BYTES
// received=BYTES first=client|server; last closes that are no close(2) by the opener: last_close.h
void close_deed(const Options &options, Report &report);
// how=self|fail: a child becomes this program again, or exec of name=FILE is tried, which must fail;
// other ways: exec_ways.h
void exec_deed(const Options &options, Report &report);
// do=connect|connect-socketcall|accept|accept-socketcall|exec|exec-missing: a 32-bit program (small32.c) does
// it.
void small32_deed(const Options &options, Report &report);
// Overwrites its own arguments and name.
void disguise_deed(const Options &options, Report &report);
// what=connect|exec times=N: calls whose arguments another thread rewrites all the time; see race.cpp.
void race_deed(const Options &options, Report &report);
// until=FILE: what it and its sockets do once FILE is there; FILE.ready says that they are. first=end: it
// ends without doing anything.
void old_deed(const Options &options, Report &report);
// proto=tcp|udp family= address= port=PORT: a service there and a client of it, from=PORT: which is bound,
// client=PROGRAM: which is that program; until=FILE: once FILE is there, FILE.ready says that it waits.
void service_deed(const Options &options, Report &report);
// Something of every family, for a test of who did it.
void all_deeds(const Options &options, Report &report);

// Performs DEED in the context that in= names: here, thread, session, pty-leader, pty-child, namespaces,
// cgroup, loginuid. Every one but `here` and `thread` is a process of its own.
void in_context(const Options &options, Report &report, void (*deed)(const Options &, Report &));

}  // namespace iptrackd::oracle

#endif
