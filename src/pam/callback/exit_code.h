// Exit codes of iptrackd-pam-callback: one per cause, so that what pam_exec logs says what happened. The help
// text lists the same table; a test compares the two.
//
// "The record is safe": it waits in the directory beside the FIFO, and the next daemon takes it.
#ifndef IPTRACKD_PAM_CALLBACK_EXIT_CODE_H
#define IPTRACKD_PAM_CALLBACK_EXIT_CODE_H

enum ExitCode {
  exit_delivered = 0,  // written to the FIFO (also: --help, --version)
  exit_usage = 2,

  // The record is safe, but no daemon has it yet.
  exit_no_fifo = 10,
  exit_no_reader = 11,
  exit_untrusted_fifo = 12,  // not a FIFO, a link, not root's, or writable by others
  exit_pipe_full = 13,       // it stayed full until the timeout
  exit_fifo_error = 14,      // it could not be opened or written for another reason

  // The record is lost.
  exit_untrusted_directory = 20,  // the directory is missing and cannot be made, or is not root's alone
  exit_too_many_left = 21,        // as many records wait already as are allowed
  exit_cannot_leave = 22,         // writing the file failed: disk full, read-only

  // There is nothing to report.
  exit_no_pam_type = 30,     // PAM_TYPE is not set: not run by pam_exec
  exit_other_pam_type = 31,  // account, password: not an event
};

#endif
