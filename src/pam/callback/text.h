// Text without stdio and without an allocator: a path under construction, and whole strings to a descriptor.
#ifndef IPTRACKD_PAM_CALLBACK_TEXT_H
#define IPTRACKD_PAM_CALLBACK_TEXT_H

// NOLINTBEGIN(modernize-deprecated-headers): this is C
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
// NOLINTEND(modernize-deprecated-headers)

// A NUL-terminated path. When something did not fit, `overflow` is set and stays.
struct Path {
  char bytes[PATH_MAX];
  size_t length;
  bool overflow;
};

void path_clear(struct Path *path);
void path_append(struct Path *path, const char *text);
// VALUE in decimal, with leading zeros up to DIGITS places (at most 20).
void path_append_number(struct Path *path, uint64_t value, int digits);

// Best effort: what is said to a terminal or a log may get lost.
void say(int fd, const char *text);

// "5", "0.25": seconds up to 3600 as milliseconds; at most three decimals. -1: not such a number.
int parse_seconds(const char *text);

#endif
