// Hands a record to the daemon through the FIFO.
#ifndef IPTRACKD_PAM_CALLBACK_DELIVERY_H
#define IPTRACKD_PAM_CALLBACK_DELIVERY_H

#include "pam/callback/record.h"

// exit_delivered or the reason why not, exit_no_fifo to exit_fifo_error. Only a full pipe is waited for, at
// most TIMEOUT_MS milliseconds.
int deliver_record(const char *fifo, const struct Record *record, int timeout_ms);

#endif
