// Config: everything that the configuration file can say, with its defaults. config/iptrackd.yml documents
// the same keys for users; a test proves that loading it gives Config{}.
//
// A plain value: copies are independent, reading one from several threads is safe.
#ifndef IPTRACKD_CONFIG_CONFIG_H
#define IPTRACKD_CONFIG_CONFIG_H

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "core/event.h"
#include "iptrackd/build_options.h"

namespace iptrackd::config {

// Where in which file something stands; line and column count from 1. Line 0: nowhere, a built-in default.
struct Position {
  std::string file;
  int line = 0;
  int column = 0;

  // "FILE:LINE:COLUMN", with control characters of the name escaped; "built-in" for a default.
  [[nodiscard]] std::string to_string() const;
};

// A rule as the user wrote it; the room that it concerns parses it. Where it stands is no part of its value.
struct Rule {
  std::string text;
  Position at;
  friend bool operator==(const Rule &a, const Rule &b) { return a.text == b.text; }
};

struct RedactRule {
  std::string exe;      // basename, absolute path, or "*" for every program
  std::string pattern;  // RE2; argv is matched as lines, one argument a line
  Position at;          // of the pattern
  friend bool operator==(const RedactRule &a, const RedactRule &b) {
    return a.exe == b.exe && a.pattern == b.pattern;
  }
};
[[nodiscard]] std::vector<RedactRule> default_redact_rules();

enum class Mechanism : std::uint8_t { automatic, fentry, tracepoint };

struct Probes {
  Mechanism mechanism = Mechanism::automatic;  // "auto": the best that this kernel offers, hook by hook
  bool exec = true;
  bool tcp_connect = true;
  bool tcp_accept = true;
  bool tcp_bind = true;
  bool tcp_close = true;
  bool udp_connect = true;
  bool udp_bind = true;
  bool udp_close = true;
  bool compat_calls = false;            // a hook on every system call's end, for those of the 32-bit table
  std::uint32_t args_max_bytes = 4096;  // of argv kept per exec, NULs included; 100 to IPTRACKD_ARGS_MAX
  friend bool operator==(const Probes &, const Probes &) = default;
};
// The keys of the probes that are switched off, "tcp-connect, udp-bind"; empty: none is.
[[nodiscard]] std::string left_out(const Probes &probes);

struct RingBuffer {
  std::uint64_t size = 16U << 20;  // bytes, the sum of all rings; a power of two, 128 KiB to 1 GiB
  std::chrono::milliseconds drain_interval{5};  // 1 to 1000
  std::uint32_t user_budget = 100'000;  // execs a second for each user, and as many other events; 0: no limit
  friend bool operator==(const RingBuffer &, const RingBuffer &) = default;
};

struct Bpf {
  std::string pin_directory = "/sys/fs/bpf/iptrackd";  // absolute
  bool keep_on_exit = true;                            // leave programs and maps attached for the next daemon
  friend bool operator==(const Bpf &, const Bpf &) = default;
};

struct Pam {
  std::string fifo_file = IPTRACKD_FIFO_FILE;  // absolute
  friend bool operator==(const Pam &, const Pam &) = default;
};

struct PoolRecords {
  std::uint32_t min = IPTRACKD_POOL_RECORDS_MIN;      // allocated at the start; at least 1
  std::uint32_t max = IPTRACKD_POOL_RECORDS_MAX;      // 0: only the built-in memory cap; else at least min
  std::uint32_t delta = IPTRACKD_POOL_RECORDS_DELTA;  // added by a growth step; at least 1
  friend bool operator==(const PoolRecords &, const PoolRecords &) = default;
};

struct PushWait {
  std::chrono::seconds min{IPTRACKD_PUSH_WAIT_SECONDS_MIN};      // the first wait for a record; at least 1
  std::chrono::seconds max{IPTRACKD_PUSH_WAIT_SECONDS_MAX};      // the longest; at least min
  std::chrono::seconds delta{IPTRACKD_PUSH_WAIT_SECONDS_DELTA};  // what each further wait is longer by
  std::uint32_t grow_threshold = IPTRACKD_PUSH_WAIT_GROW_THRESHOLD;  // waits before they begin to grow
  friend bool operator==(const PushWait &, const PushWait &) = default;
};

struct LogPool {
  PoolRecords records;
  PushWait push_wait;
  friend bool operator==(const LogPool &, const LogPool &) = default;
};

struct Spool {
  std::string directory = "/var/lib/iptrackd/spool";  // absolute
  std::uint64_t max_size = 1U << 30;                  // bytes; at least 1 MiB
  std::chrono::milliseconds sync_interval{50};        // 0 (each record) to 60000; logins are synced at once
  std::chrono::milliseconds retain{
      std::chrono::minutes{15}};  // how long delivered segments stay; 0 to 365 days
  friend bool operator==(const Spool &, const Spool &) = default;
};

enum class Driver : std::uint8_t { postgresql, jsonl };

// A batch leaves when the first of these is reached.
struct Batch {
  std::uint32_t rows = 5000;              // 1 to 1000000
  std::uint64_t bytes = 4U << 20;         // 64 KiB to 256 MiB
  std::chrono::milliseconds linger{200};  // 1 to 60000
  friend bool operator==(const Batch &, const Batch &) = default;
};

struct Database {
  Driver driver = Driver::postgresql;
  std::string schema = "iptrackd";  // lower-case letters, digits and _; at most 63 bytes
  Batch batch;
  std::string filename;  // jsonl only: absolute path, or "-" for stdout
  // libpq connection keywords as given, checked for their form; libpq's own defaults fill in the rest.
  std::map<std::string, std::string> connection;
  friend bool operator==(const Database &, const Database &) = default;
};

struct Whitelist {
  bool include_root = false;  // may exec rules drop what root runs?
  // WhitelistRule::parse() reads each; in a list no two mean the same, and none of its programs has more than
  // IPTRACKD_PROGRAM_RULES_MAX.
  std::vector<Rule> network;
  std::vector<Rule> exec;
  friend bool operator==(const Whitelist &, const Whitelist &) = default;
};

struct Control {
  std::string socket = "/run/iptrackd/control.sock";  // absolute, at most 107 bytes
  friend bool operator==(const Control &, const Control &) = default;
};

struct ListenAddress {
  Address address;
  std::uint16_t port = 0;  // 1 to 65535
  friend bool operator==(const ListenAddress &, const ListenAddress &) = default;
};

struct Metrics {
  std::optional<ListenAddress> listen;  // nullopt: off
  friend bool operator==(const Metrics &, const Metrics &) = default;
};

enum class LogLevel : std::uint8_t { trace, debug, info, warn, error };

struct Log {
  LogLevel level = LogLevel::info;
  friend bool operator==(const Log &, const Log &) = default;
};

struct Config {
  std::string host_name;  // 1 to 255 bytes; load() puts the node name where the file has none
  Probes probes;
  RingBuffer ring_buffer;
  Bpf bpf;
  Pam pam;
  LogPool log_pool;
  Spool spool;
  Database database;
  std::vector<RedactRule> redact =
      default_redact_rules();  // a list in the file takes the place of the defaults
  Whitelist whitelist;
  Control control;
  Metrics metrics;
  Log log;
  friend bool operator==(const Config &, const Config &) = default;
};

}  // namespace iptrackd::config

#endif
