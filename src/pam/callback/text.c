#include "pam/callback/text.h"

#include <string.h>
#include <unistd.h>

enum { most_seconds = 3600, milliseconds = 1000 };

void path_clear(struct Path *path) {
  path->bytes[0] = '\0';
  path->length = 0;
  path->overflow = false;
}

void path_append(struct Path *path, const char *text) {
  const size_t room = sizeof(path->bytes) - path->length;
  const size_t length = strnlen(text, room);
  if (length == room) {
    path->overflow = true;
    return;
  }
  memcpy(path->bytes + path->length, text, length + 1);
  path->length += length;
}

void path_append_number(struct Path *path, uint64_t value, int digits) {
  char text[21];
  size_t begin = sizeof(text) - 1;
  text[begin] = '\0';
  while (begin > 0 && (value != 0 || digits > 0)) {
    text[--begin] = (char)('0' + value % 10);
    value /= 10;
    --digits;
  }
  path_append(path, text + begin);
}

void say(int fd, const char *text) {
  size_t left = strlen(text);
  while (left > 0) {
    const ssize_t written = write(fd, text, left);
    if (written <= 0) return;
    text += written;
    left -= (size_t)written;
  }
}

static bool is_digit(char letter) {
  return letter >= '0' && letter <= '9';
}

int parse_seconds(const char *text) {
  if (!is_digit(*text)) return -1;
  int result = 0;
  for (; is_digit(*text); ++text) {
    result = result * 10 + (*text - '0');
    if (result > most_seconds) return -1;
  }
  result *= milliseconds;
  if (*text == '.') {
    if (!is_digit(*++text)) return -1;
    for (int unit = milliseconds / 10; is_digit(*text); ++text, unit /= 10) {
      if (unit == 0) return -1;
      result += (*text - '0') * unit;
    }
  }
  return *text == '\0' && result <= most_seconds * milliseconds ? result : -1;
}
