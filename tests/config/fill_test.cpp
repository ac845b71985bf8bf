#include "config/fill.h"

#include <doctest/doctest.h>

#include <array>
#include <string>
#include <utility>

#include "config/support.h"

using namespace iptrackd::config;
using iptrackd::config::test::error_of;
using iptrackd::config::test::loaded;
using namespace std::chrono_literals;

TEST_CASE("every key reaches its field") {
  const auto config = loaded(R"(
host-name: node
ring-buffer: {size: 128K, drain-interval-ms: 7, user-budget: 8}
bpf: {pin-directory: /p, keep-on-exit: false}
pam: {fifo-file: /f}
log-pool:
  records: {min: 1, max: 2, delta: 3}
  push-wait-seconds: {min: 4, max: 5, delta: 6, grow-threshold: 7}
spool: {directory: /s, max-size: 2GiB, sync-interval-ms: 0, retain: 1h}
database: {driver-name: jsonl, schema: other_1, filename: "-", batch: {rows: 8, bytes: 1M, linger-ms: 9}}
control: {socket: /c}
metrics: {listen: "[::1]:9435"}
log: {level: trace}
whitelist: {include-root: true}
)");
  CHECK(config.host_name == "node");
  CHECK(config.ring_buffer == RingBuffer{128U << 10U, 7ms, 8});
  CHECK(config.bpf == Bpf{"/p", false});
  CHECK(config.pam.fifo_file == "/f");
  CHECK(config.log_pool.records == PoolRecords{1, 2, 3});
  CHECK(config.log_pool.push_wait == PushWait{4s, 5s, 6s, 7});
  CHECK(config.spool == Spool{"/s", std::uint64_t{2} << 30U, 0ms, 1h});
  CHECK(config.database.driver == Driver::jsonl);
  CHECK(config.database.schema == "other_1");
  CHECK(config.database.filename == "-");
  CHECK(config.database.batch == Batch{8, 1U << 20U, 9ms});
  CHECK(config.control.socket == "/c");
  REQUIRE(config.metrics.listen);
  CHECK(config.metrics.listen->address.to_string() == "::1");
  CHECK(config.metrics.listen->port == 9435);
  CHECK(config.log.level == LogLevel::trace);
  CHECK(config.whitelist.include_root);
}

TEST_CASE("a bad value is an error at its place, saying what would be right") {
  const std::string path107(106, 'x');
  const std::pair<std::string, std::string> cases[] = {
      {"ring-buffer: {size: 100K}",
       "c.yml:1:21: ring-buffer.size is '100K'; write a size from 128KiB to 1GiB"},
      {"ring-buffer: {size: 3M}",
       "c.yml:1:21: ring-buffer.size is no power of two; write one from 128KiB to 1GiB"},
      {"ring-buffer: {size: 2GiB}",
       "c.yml:1:21: ring-buffer.size is '2GiB'; write a size from 128KiB to 1GiB"},
      {"ring-buffer: {size: 16MB}",
       "c.yml:1:21: ring-buffer.size is '16MB'; write a size like 16777216, 16M or 16MiB"},
      {"ring-buffer: {size: [1]}", "c.yml:1:21: ring-buffer.size is a list; write a single value"},
      {"ring-buffer: 16MiB", "c.yml:1:14: ring-buffer is not a mapping; write its keys below it, indented"},
      {"ring-buffer: {size: }", "c.yml:1:15: ring-buffer.size has no value; write one, or remove the key"},
      {"ring-buffer: {drain-interval-ms: 0}",
       "c.yml:1:34: ring-buffer.drain-interval-ms is '0'; write a whole number from 1 to 1000"},
      {"ring-buffer: {drain-interval-ms: 5ms}",
       "c.yml:1:34: ring-buffer.drain-interval-ms is '5ms'; write a whole number from 1 to 1000"},
      {"bpf: {keep-on-exit: yes}", "c.yml:1:21: bpf.keep-on-exit is 'yes'; write true or false"},
      {"bpf: {pin-directory: sys}",
       "c.yml:1:22: bpf.pin-directory is 'sys'; write an absolute path, beginning with /"},
      {"log-pool: {records: {min: 0}}",
       "c.yml:1:27: log-pool.records.min is '0'; write a whole number from 1 to 10000000"},
      {"log-pool: {records: {delta: 0}}",
       "c.yml:1:29: log-pool.records.delta is '0'; write a whole number from 1 to 10000000"},
      {"log-pool: {records: {max: 31}}",
       "c.yml:1:27: log-pool.records.max (31) is below min (32); write 0 for no limit, or at least min"},
      {"log-pool: {push-wait-seconds: {min: 700}}",
       "c.yml:1:37: log-pool.push-wait-seconds.max (600) is below min (700); write at least min"},
      {"spool: {retain: -5min}", "c.yml:1:17: spool.retain is '-5min'; write a duration from 0s to 365d"},
      {"spool: {retain: 5}",
       "c.yml:1:17: spool.retain is '5'; write a duration like 250ms, 30s, 15min, 1h or 7d"},
      {"spool: {max-size: 1K}", "c.yml:1:19: spool.max-size is '1K'; write a size from 1MiB to 1024TiB"},
      {"control: {socket: /" + path107 + "x}",
       "c.yml:1:19: control.socket is longer than a socket's name can be; at most 107 bytes"},
      {"control: {socket: /run/iptrackd/pam.fifo}",
       "c.yml:1:19: control.socket is the same path as pam.fifo-file; give each a path of its own"},
      {"pam: {fifo-file: /run/iptrackd/control.sock}",
       "c.yml:1:18: pam.fifo-file is the same path as control.socket; give each a path of its own"},
      {"metrics: {listen: localhost:1}",
       "c.yml:1:19: metrics.listen is 'localhost:1'; write a numeric address and a port, like "
       "\"127.0.0.1:9435\""},
      {"log: {level: INFO}", "c.yml:1:14: log.level is 'INFO'; write trace, debug, info, warn or error"},
      {"host-name: ''", "c.yml:1:12: host-name is empty; write a value, or remove the key"},
      {"host-name: " + std::string(256, 'n'),
       "c.yml:1:12: host-name is longer than 255 bytes; write a shorter name"},
  };
  for (const auto &wrong : cases) {
    CAPTURE(wrong.first);
    CHECK(error_of(wrong.first) == wrong.second);
  }
  CHECK(error_of("control: {socket: /" + path107 + "}").empty());
  for (const auto *listen :
       {"\"::1:9435\"", "127.0.0.1", "127.0.0.1:0", "127.0.0.1:65536", "\"[::1]\"", "\":1\"", "1.2.3.4:x"}) {
    CAPTURE(listen);
    CHECK_FALSE(error_of(std::string{"metrics: {listen: "} + listen + "}").empty());
  }
}

TEST_CASE("an unknown key gets the nearest known one as advice, or the section that it belongs to") {
  CHECK(error_of("pam: {fifo_file: /x}") ==
        "c.yml:1:7: unknown key 'fifo_file' in 'pam'; did you mean 'fifo-file'?");
  CHECK(error_of("fifo-file: /x") == "c.yml:1:1: unknown key 'fifo-file'; it belongs below 'pam'");
  CHECK(error_of("database: {metrics: 1}") ==
        "c.yml:1:12: unknown key 'metrics' in 'database'; it belongs to the top level");
  CHECK(error_of("database: {connect-timeout: 1}") ==
        "c.yml:1:12: unknown key 'connect-timeout' in 'database'; did you mean 'connect_timeout'?");
  CHECK(error_of("redact: [{exe: x, pattern: y, replace: z}]") ==
        "c.yml:1:31: unknown key 'replace' in 'redact'; remove it; config/iptrackd.yml lists every key");
}
