// iptrackd-pam-callback: tells the daemon of one PAM call of sshd, and gets out of the login's way.
//
//   environment → build_record → deliver_record → (FIFO)
//                                      └─ no daemon ─→ leave_record → (directory beside the FIFO)
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include "pam/callback/delivery.h"
#include "pam/callback/exit_code.h"
#include "pam/callback/leftover.h"
#include "pam/callback/options.h"

// Without descriptors 0 to 2 the FIFO would become one of them, and an error message would go into it.
static void hold_standard_descriptors(void) {
  int fd = open("/dev/null", O_RDWR);
  while (fd >= 0 && fd <= STDERR_FILENO) fd = open("/dev/null", O_RDWR);
  if (fd >= 0) close(fd);
}

static int report(const struct Options *options) {
  struct Record record;
  const int refused = build_record(&record, environ);
  if (refused != 0) return refused;
  const int delivered = deliver_record(options->fifo, &record, options->timeout_ms);
  if (delivered == exit_delivered) return exit_delivered;
  const int lost = leave_record(options->fifo, &record);
  return lost != 0 ? lost : delivered;
}

int main(int argc, char **argv) {
  hold_standard_descriptors();
  signal(SIGPIPE, SIG_IGN);  // a reader that goes away is an answer, not the end
  struct Options options;
  if (!parse_options(argc, argv, &options)) return exit_usage;
  if (options.help) {
    print_help();
  } else if (options.version) {
    print_version();
  } else {
    return report(&options);
  }
  return exit_delivered;
}
