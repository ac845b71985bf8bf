#include "pam/callback/record.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pam/callback/exit_code.h"

struct Field {
  const char *variable;
  size_t most;
};

static const struct Field fields[IPTRACKD_PAM_FIELD_COUNT] = {
    [IPTRACKD_PAM_FIELD_USER] = {"PAM_USER", IPTRACKD_PAM_USER_MAX},
    [IPTRACKD_PAM_FIELD_RUSER] = {"PAM_RUSER", IPTRACKD_PAM_RUSER_MAX},
    [IPTRACKD_PAM_FIELD_RHOST] = {"PAM_RHOST", IPTRACKD_PAM_RHOST_MAX},
    [IPTRACKD_PAM_FIELD_SERVICE] = {"PAM_SERVICE", IPTRACKD_PAM_SERVICE_MAX},
    [IPTRACKD_PAM_FIELD_TTY] = {"PAM_TTY", IPTRACKD_PAM_TTY_MAX},
    [IPTRACKD_PAM_FIELD_CONNECTION] = {"SSH_CONNECTION", IPTRACKD_PAM_CONNECTION_MAX},
};

static const char *find_variable(char *const *environment, const char *name) {
  const size_t length = strlen(name);
  for (; environment != NULL && *environment != NULL; ++environment) {
    if (strncmp(*environment, name, length) == 0 && (*environment)[length] == '=')
      return *environment + length + 1;
  }
  return NULL;
}

// Up to CAPACITY - 1 bytes of a file in /proc, terminated; false when there is none.
static bool read_text(const char *path, char *text, size_t capacity) {
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t size = read(fd, text, capacity - 1);
  close(fd);
  text[size > 0 ? size : 0] = '\0';
  return size > 0;
}

// An audit id as /proc shows it; unset and unreadable are the same to us: unknown.
static uint32_t read_id(const char *path) {
  char text[16];
  if (!read_text(path, text, sizeof(text)) || *text < '0' || *text > '9') return IPTRACKD_PAM_UNKNOWN_ID;
  uint64_t value = 0;
  for (const char *digit = text; *digit >= '0' && *digit <= '9'; ++digit)
    value = value * 10 + (uint64_t)(*digit - '0');
  return value < IPTRACKD_PAM_UNKNOWN_ID ? (uint32_t)value : IPTRACKD_PAM_UNKNOWN_ID;
}

static int hex_digit(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  return -1;
}

// Leaves ID all zero, which is "unknown", when the kernel does not tell.
static void read_boot_id(uint8_t id[16]) {
  char text[64];
  if (!read_text("/proc/sys/kernel/random/boot_id", text, sizeof(text))) return;
  size_t digits = 0;
  for (const char *letter = text; *letter != '\0' && digits < 32; ++letter) {
    const int digit = hex_digit(*letter);
    if (digit < 0) continue;
    id[digits / 2] = (uint8_t)(id[digits / 2] << 4 | digit);
    ++digits;
  }
}

static int64_t clock_ns(clockid_t clock) {
  struct timespec now = {0};
  clock_gettime(clock, &now);
  return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static void describe_process(struct iptrackd_pam_header *header) {
  header->pid = getpid();
  header->ppid = getppid();
  header->sid = getsid(0);
  header->uid = getuid();
  header->gid = getgid();
  header->euid = geteuid();
  header->egid = getegid();
  header->loginuid = read_id("/proc/self/loginuid");
  header->audit_session = read_id("/proc/self/sessionid");
}

// PAM_TYPE as IPTRACKD_PAM_*; 0: not one that is reported.
static uint8_t type_number(const char *type) {
  if (strcmp(type, "auth") == 0) return IPTRACKD_PAM_AUTH;
  if (strcmp(type, "open_session") == 0) return IPTRACKD_PAM_OPEN_SESSION;
  if (strcmp(type, "close_session") == 0) return IPTRACKD_PAM_CLOSE_SESSION;
  return 0;
}

static void append_field(struct Record *record, struct iptrackd_pam_header *header, int index,
                         const char *value) {
  const size_t most = fields[index].most;
  uint16_t length = IPTRACKD_PAM_UNKNOWN_LENGTH;
  size_t bytes = 0;
  if (value != NULL) {
    bytes = strnlen(value, most + 1);
    if (bytes > most) {
      bytes = most;
      header->cut |= 1U << index;
    }
    length = (uint16_t)bytes;
  }
  memcpy(record->bytes + record->size, &length, sizeof(length));
  if (bytes > 0) memcpy(record->bytes + record->size + sizeof(length), value, bytes);
  record->size += sizeof(length) + bytes;
}

int build_record(struct Record *record, char *const *environment) {
  struct iptrackd_pam_header header = {.version = IPTRACKD_PAM_VERSION};
  header.boot_ns = (uint64_t)clock_ns(CLOCK_BOOTTIME);
  header.real_ns = clock_ns(CLOCK_REALTIME);
  const char *type = find_variable(environment, "PAM_TYPE");
  if (type == NULL) return exit_no_pam_type;
  header.type = type_number(type);
  if (header.type == 0) return exit_other_pam_type;

  memcpy(header.magic, IPTRACKD_PAM_MAGIC, sizeof(header.magic));
  describe_process(&header);
  read_boot_id(header.boot_id);
  record->size = sizeof(header);
  record->real_ns = header.real_ns;
  for (int index = 0; index < IPTRACKD_PAM_FIELD_COUNT; ++index) {
    append_field(record, &header, index, find_variable(environment, fields[index].variable));
  }
  header.size = (uint16_t)record->size;
  memcpy(record->bytes, &header, sizeof(header));
  header.crc =
      iptrackd_pam_crc(record->bytes + IPTRACKD_PAM_CRC_BEGIN, record->size - IPTRACKD_PAM_CRC_BEGIN);
  memcpy(record->bytes, &header, sizeof(header));
  return 0;
}
