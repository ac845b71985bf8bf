#include "pam/callback/options.h"

#include <string.h>
#include <unistd.h>

#include "iptrackd/build_options.h"
#include "pam/callback/text.h"

enum { default_timeout_ms = 5000 };

static bool refuse(const char *what, const char *argument) {
  say(STDERR_FILENO, "iptrackd-pam-callback: ");
  say(STDERR_FILENO, what);
  say(STDERR_FILENO, argument);
  say(STDERR_FILENO, "; --help lists the options\n");
  return false;
}

// The value of the option LETTER or NAME at argv[*index], in any of the usual spellings: -p V, -pV, --fifo V,
// --fifo=V. NULL: it is another option, or the value is missing; *matched tells which.
static const char *option_value(int argc, char **argv, int *index, char letter, const char *name,
                                bool *matched) {
  const char *argument = argv[*index];
  const size_t length = strlen(name);
  *matched = true;
  if (argument[0] == '-' && argument[1] == letter) {
    if (argument[2] != '\0') return argument + 2;
  } else if (strncmp(argument, name, length) == 0 && argument[length] == '=') {
    return argument + length + 1;
  } else if (strcmp(argument, name) != 0) {
    *matched = false;
    return NULL;
  }
  return *index + 1 < argc ? argv[++*index] : NULL;
}

static bool parse_option(int argc, char **argv, int *index, struct Options *options) {
  const char *argument = argv[*index];
  bool matched = false;
  if (strcmp(argument, "-h") == 0 || strcmp(argument, "--help") == 0) {
    options->help = true;
    return true;
  }
  if (strcmp(argument, "-V") == 0 || strcmp(argument, "--version") == 0) {
    options->version = true;
    return true;
  }
  const char *value = option_value(argc, argv, index, 'p', "--fifo", &matched);
  if (matched) {
    if (value == NULL || *value == '\0') return refuse("a path must follow ", argument);
    options->fifo = value;
    return true;
  }
  value = option_value(argc, argv, index, 't', "--timeout", &matched);
  if (matched) {
    options->timeout_ms = value == NULL ? -1 : parse_seconds(value);
    if (options->timeout_ms < 0)
      return refuse("seconds from 0 to 3600, such as 5 or 0.25, must follow ", argument);
    return true;
  }
  return refuse("unknown option ", argument);
}

bool parse_options(int argc, char **argv, struct Options *options) {
  *options = (struct Options){.fifo = IPTRACKD_FIFO_FILE, .timeout_ms = default_timeout_ms};
  for (int index = 1; index < argc; ++index) {
    if (!parse_option(argc, argv, &index, options)) return false;
  }
  return true;
}

static const char usage_text[] =
    "Usage: iptrackd-pam-callback [OPTIONS]\n"
    "\n"
    "Reports one PAM call to iptrackd. pam_exec runs it and describes the call in its environment.\n"
    "\n"
    "  -p, --fifo PATH        the named pipe that iptrackd reads (default " IPTRACKD_FIFO_FILE
    ")\n"
    "  -t, --timeout SECONDS  longest wait while the pipe is full, 0 to 3600, fractions allowed (default "
    "5)\n"
    "  -h, --help             print this text\n"
    "  -V, --version          print the version\n"
    "\n"
    "Without a daemon it does not wait: the record is left in the directory PATH.d, root's alone, and the\n"
    "next daemon takes it from there.\n"
    "\n"
    "In /etc/pam.d/sshd, with the program's own path, the first line before the other `auth` lines, so that\n"
    "refused logins are reported too, the second behind pam_loginuid, so that the audit session is known:\n"
    "\n"
    "  auth     optional  pam_exec.so quiet /usr/libexec/iptrackd-pam-callback\n"
    "  session  optional  pam_exec.so quiet /usr/libexec/iptrackd-pam-callback\n"
    "\n"
    "`optional`: no login ever fails because of it. `quiet`: users see nothing of it; its exit code still "
    "goes\n"
    "to the system's log.\n"
    "\n";

static const char exit_code_text[] =
    "Exit codes:\n"
    "   0  delivered to the daemon\n"
    "   2  wrong command line\n"
    "  The record is safe in PATH.d, because\n"
    "  10  there is no FIFO\n"
    "  11  nobody reads the FIFO\n"
    "  12  PATH is not a FIFO, is a link, or is not writable by root alone\n"
    "  13  the pipe stayed full until the timeout\n"
    "  14  the FIFO could not be opened or written for another reason\n"
    "  The record is lost, because moreover\n"
    "  20  PATH.d is missing and cannot be made, or is not writable by root alone\n"
    "  21  10000 records wait in PATH.d already\n"
    "  22  a file could not be written there\n"
    "  Nothing to report, because\n"
    "  30  PAM_TYPE is not set\n"
    "  31  PAM_TYPE is neither auth, open_session nor close_session\n";

void print_help(void) {
  say(STDOUT_FILENO, usage_text);
  say(STDOUT_FILENO, exit_code_text);
}

void print_version(void) {
  say(STDOUT_FILENO, "iptrackd-pam-callback " IPTRACKD_VERSION "\n");
}
