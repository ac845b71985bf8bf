#include "pam/callback/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>  // renameat() only
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "pam/callback/exit_code.h"
#include "pam/callback/text.h"

// The directory above PATH; its own parent must exist. At boot /run is empty and the first login may come
// before the daemon.
static void make_parent(const struct Path *path) {
  struct Path parent = *path;
  char *slash = strrchr(parent.bytes, '/');
  if (slash == NULL || slash == parent.bytes) return;
  *slash = '\0';
  mkdir(parent.bytes, S_IRWXU);
}

// An open directory that only root can write, or -1. Checked on the descriptor: the name may change hands.
static int open_directory(const struct Path *path) {
  if (mkdir(path->bytes, S_IRWXU) < 0 && errno == ENOENT) {
    make_parent(path);
    mkdir(path->bytes, S_IRWXU);
  }
  const int fd = open(path->bytes, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return -1;
  struct stat status;
  if (fstat(fd, &status) == 0 && status.st_uid == 0 && (status.st_mode & (S_IWGRP | S_IWOTH)) == 0) return fd;
  close(fd);
  return -1;
}

// As the kernel lays it out; opendir() would allocate.
struct DirectoryEntry {
  uint64_t inode;
  int64_t next;
  uint16_t length;
  uint8_t type;
  char name[];
};

// Whether fewer than most_leftovers files are there. Two logins at once may both get the last place.
static bool has_room(int directory) {
  _Alignas(struct DirectoryEntry) char entries[8192];
  long count = 0;
  for (;;) {
    const long size = syscall(SYS_getdents64, directory, entries, sizeof(entries));
    if (size <= 0) return size == 0;
    for (long at = 0; at < size && count < most_leftovers + 2; ++count) {
      at += ((const struct DirectoryEntry *)(const void *)(entries + at))->length;
    }
    if (count >= most_leftovers + 2) return false;  // "." and ".." are counted
  }
}

static int write_file(int directory, const char *hidden, const struct Record *record) {
  const int fd =
      openat(directory, hidden, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (fd < 0) return exit_cannot_leave;
  const bool whole = write(fd, record->bytes, record->size) == (ssize_t)record->size;
  const bool closed = close(fd) == 0;
  // The part behind the dot is the name that the daemon takes.
  if (whole && closed && renameat(directory, hidden, directory, hidden + 1) == 0) return 0;
  unlinkat(directory, hidden, 0);
  return exit_cannot_leave;
}

int leave_record(const char *fifo, const struct Record *record) {
  struct Path path;
  path_clear(&path);
  path_append(&path, fifo);
  path_append(&path, ".d");
  const int directory = path.overflow ? -1 : open_directory(&path);
  if (directory < 0) return exit_untrusted_directory;

  int code = exit_too_many_left;
  if (has_room(directory)) {
    path_clear(&path);
    path_append(&path, ".");
    path_append_number(&path, record->real_ns > 0 ? (uint64_t)record->real_ns : 0, 20);
    path_append(&path, ".");
    path_append_number(&path, (uint64_t)getpid(), 1);
    code = write_file(directory, path.bytes, record);
  }
  close(directory);
  return code;
}
