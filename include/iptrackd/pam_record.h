// The record that iptrackd-pam-callback writes to the FIFO and the FIFO reader takes apart; one record is one
// PAM call. Read by both sides: C11 for the callback, C++20 for the reader.
//
//   from   to
//      0    4   magic
//      4    6   version
//      6    8   size of the whole record
//      8   12   crc of what follows, up to size
//     12   88   clocks and ids: struct iptrackd_pam_header
//     88   89   type: IPTRACKD_PAM_AUTH and so on
//     89   96   zeros
//     96        fields, in the order of IPTRACKD_PAM_FIELD_*, all of them, up to the end
//
// A field is its length in 16 bits and so many bytes, any. Length 65535: it is unknown, and no bytes follow.
//
// Numbers are in the host's own byte order: a record never leaves the host. A record is at most PIPE_BUF
// bytes and is written by one write(2), so the kernel never mixes two of them, nor lets a reader see half of
// one. Magic, size and crc let a reader find the next record behind bytes that are none.
#ifndef IPTRACKD_PAM_RECORD_H
#define IPTRACKD_PAM_RECORD_H

#ifdef __cplusplus
#include <cstddef>
#include <cstdint>
#else
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#endif

#define IPTRACKD_PAM_MAGIC "\x89iPR"  // 0x89 begins no UTF-8 character: text never looks like a record
#define IPTRACKD_PAM_VERSION 1
#define IPTRACKD_PAM_RECORD_MAX 4096  // PIPE_BUF of Linux
#define IPTRACKD_PAM_UNKNOWN_LENGTH 0xffffU
#define IPTRACKD_PAM_UNKNOWN_ID 0xffffffffU  // of loginuid and audit_session; the kernel's own "unset"

// struct iptrackd_pam_header::type, from PAM_TYPE.
#define IPTRACKD_PAM_AUTH 1
#define IPTRACKD_PAM_OPEN_SESSION 2
#define IPTRACKD_PAM_CLOSE_SESSION 3

// The fields, each from the environment variable named; longer values are cut to the most bytes allowed, and
// bit (1 << field) of struct iptrackd_pam_header::cut is set.
#define IPTRACKD_PAM_FIELD_USER 0        // PAM_USER
#define IPTRACKD_PAM_FIELD_RUSER 1       // PAM_RUSER
#define IPTRACKD_PAM_FIELD_RHOST 2       // PAM_RHOST
#define IPTRACKD_PAM_FIELD_SERVICE 3     // PAM_SERVICE
#define IPTRACKD_PAM_FIELD_TTY 4         // PAM_TTY
#define IPTRACKD_PAM_FIELD_CONNECTION 5  // SSH_CONNECTION: "client port server port"
#define IPTRACKD_PAM_FIELD_COUNT 6

#define IPTRACKD_PAM_USER_MAX 1024
#define IPTRACKD_PAM_RUSER_MAX 512
#define IPTRACKD_PAM_RHOST_MAX 1025  // NI_MAXHOST
#define IPTRACKD_PAM_SERVICE_MAX 256
#define IPTRACKD_PAM_TTY_MAX 256
#define IPTRACKD_PAM_CONNECTION_MAX 256

struct iptrackd_pam_header {
  uint8_t magic[4];
  uint16_t version;
  uint16_t size;        // bytes of the whole record
  uint32_t crc;         // iptrackd_pam_crc() of the bytes [12, size)
  uint32_t cut;         // bit per field that was cut
  uint64_t boot_ns;     // CLOCK_BOOTTIME when the callback began
  int64_t real_ns;      // CLOCK_REALTIME at the same moment, since 1970
  uint8_t boot_id[16];  // the boot that boot_ns and the pids belong to; all zero: unknown
  int32_t pid;          // the callback
  int32_t ppid;         // who ran it: sshd
  int32_t sid;
  uint32_t uid;
  uint32_t gid;
  uint32_t euid;
  uint32_t egid;
  uint32_t loginuid;
  uint32_t audit_session;
  uint32_t reserved_word;  // zero
  uint8_t type;
  uint8_t reserved[7];  // zero
};

#define IPTRACKD_PAM_HEADER_SIZE 96
#define IPTRACKD_PAM_CRC_BEGIN 12
#define IPTRACKD_PAM_RECORD_MIN (IPTRACKD_PAM_HEADER_SIZE + 2 * IPTRACKD_PAM_FIELD_COUNT)

static_assert(sizeof(struct iptrackd_pam_header) == IPTRACKD_PAM_HEADER_SIZE, "no hidden padding");
static_assert(offsetof(struct iptrackd_pam_header, cut) == IPTRACKD_PAM_CRC_BEGIN,
              "the crc covers all behind it");
static_assert(offsetof(struct iptrackd_pam_header, type) == 88, "as drawn");
static_assert(IPTRACKD_PAM_RECORD_MIN + IPTRACKD_PAM_USER_MAX + IPTRACKD_PAM_RUSER_MAX +
                      IPTRACKD_PAM_RHOST_MAX + IPTRACKD_PAM_SERVICE_MAX + IPTRACKD_PAM_TTY_MAX +
                      IPTRACKD_PAM_CONNECTION_MAX <=
                  IPTRACKD_PAM_RECORD_MAX,
              "the longest fields together fit into one atomic write");

// CRC-32 of IEEE 802.3 (zlib's crc32). Bit by bit, because the callback is static and small and a record
// short.
static inline uint32_t iptrackd_pam_crc(const uint8_t *bytes, size_t count) {
  uint32_t crc = 0xffffffffU;
  for (size_t i = 0; i < count; ++i) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ (0xedb88320U & (0U - (crc & 1U)));
  }
  return ~crc;
}

#endif
