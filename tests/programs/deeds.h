// The deeds, one function and one file each. Every socket and process that a deed makes is on its report, so
// that a test can demand that there is no other row.
#ifndef IPTRACKD_TESTS_PROGRAMS_DEEDS_H
#define IPTRACKD_TESTS_PROGRAMS_DEEDS_H

#include "options.h"

namespace iptrackd::oracle {

// proto= family= outcome=accepted|refused|unreachable|forbidden|delayed|abandoned how=blocking|poll|connect
// bound=yes
void connect_deed(const Options &options, Report &report);
// family= call=accept|accept4 by=self|child, empty=yes: also tries to accept where nobody waits
void accept_deed(const Options &options, Report &report);
// proto= family= outcome=free|in-use|unavailable address=loopback|any
void bind_deed(const Options &options, Report &report);
// proto= family= how=close|exit|kill|dup|fork|shutdown|reset|unread sent=BYTES received=BYTES
// first=client|server
void close_deed(const Options &options, Report &report);
// how=self|fail: a child becomes this program again, or exec of name=FILE is tried, which must fail.
void exec_deed(const Options &options, Report &report);
// Something of every family, for a test of who did it.
void all_deeds(const Options &options, Report &report);

// Performs DEED in the context that in= names: here, thread, session, pty-leader, pty-child, namespaces,
// cgroup, loginuid. Every one but `here` and `thread` is a process of its own.
void in_context(const Options &options, Report &report, void (*deed)(const Options &, Report &));

}  // namespace iptrackd::oracle

#endif
