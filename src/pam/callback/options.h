// The callback's command line. getopt_long is not used: it brings stdio, and with it an allocator.
#ifndef IPTRACKD_PAM_CALLBACK_OPTIONS_H
#define IPTRACKD_PAM_CALLBACK_OPTIONS_H

#include <stdbool.h>

struct Options {
  const char *fifo;  // path; belongs to argv
  int timeout_ms;    // how long a full pipe is waited for
  bool help;
  bool version;
};

// False: the command line is wrong, and stderr says how.
bool parse_options(int argc, char **argv, struct Options *options);

void print_help(void);
void print_version(void);

#endif
