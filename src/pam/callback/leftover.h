// Leaves a record for the next daemon, one file each, in the directory beside the FIFO: FIFO.d.
//
// A file's name is its record's CLOCK_REALTIME in nanoseconds, twenty digits, a dot and the callback's pid,
// so that names sort by time. While it is written its name begins with a dot; what is seen without one is
// whole.
#ifndef IPTRACKD_PAM_CALLBACK_LEFTOVER_H
#define IPTRACKD_PAM_CALLBACK_LEFTOVER_H

#include "pam/callback/record.h"

// More records than this are not kept: a daemon that is away for good must not fill the file system.
enum { most_leftovers = 10000 };

// 0, or why the record is lost: exit_untrusted_directory to exit_cannot_leave. Waits for nothing but the
// disk.
int leave_record(const char *fifo, const struct Record *record);

#endif
