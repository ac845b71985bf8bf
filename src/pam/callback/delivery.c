#include "pam/callback/delivery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pam/callback/exit_code.h"

// The FIFO in *fd, or why not. O_NONBLOCK: without it an open() with no reader would wait for one.
static int open_fifo(const char *path, int *fd) {
  *fd = open(path, O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
  if (*fd < 0) {
    switch (errno) {
      case ENOENT:
        return exit_no_fifo;
      case ENXIO:
        return exit_no_reader;  // a socket says so too; to the record it is the same
      case ELOOP:
      case EISDIR:
      case ENOTDIR:
        return exit_untrusted_fifo;
      default:
        return exit_fifo_error;
    }
  }
  struct stat status;
  const bool trusted = fstat(*fd, &status) == 0 && S_ISFIFO(status.st_mode) && status.st_uid == 0 &&
                       (status.st_mode & (S_IWGRP | S_IWOTH)) == 0;
  if (!trusted) close(*fd);
  return trusted ? exit_delivered : exit_untrusted_fifo;
}

static int64_t now_ms(void) {
  struct timespec now = {0};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

// poll() reports room only when a whole page is free, which is as much as a record may take.
static int write_record(int fd, const struct Record *record, int timeout_ms) {
  const int64_t deadline = now_ms() + timeout_ms;
  for (;;) {
    const ssize_t written = write(fd, record->bytes, record->size);
    if (written == (ssize_t)record->size) return exit_delivered;
    if (written >= 0) return exit_fifo_error;
    if (errno == EPIPE) return exit_no_reader;
    if (errno != EAGAIN && errno != EINTR) return exit_fifo_error;
    const int64_t left = deadline - now_ms();
    if (left <= 0) return exit_pipe_full;
    struct pollfd wait = {.fd = fd, .events = POLLOUT};
    if (poll(&wait, 1, (int)left) < 0 && errno != EINTR) return exit_fifo_error;
  }
}

int deliver_record(const char *fifo, const struct Record *record, int timeout_ms) {
  int fd = -1;
  int code = open_fifo(fifo, &fd);
  if (code != exit_delivered) return code;
  code = write_record(fd, record, timeout_ms);
  close(fd);
  return code;
}
