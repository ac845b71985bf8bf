#include "config/fill.h"

#include <array>
#include <charconv>
#include <string_view>

#include "config/values.h"

namespace iptrackd::config {
namespace {

using namespace std::chrono_literals;

constexpr std::int64_t kib = 1 << 10;
constexpr std::int64_t mib = 1 << 20;
constexpr std::int64_t gib = 1 << 30;

void fill_host_name(Section &root, std::string &name) {
  constexpr std::size_t longest = 255;
  std::string text;
  root.text("host-name", text);
  if (text.size() > longest)
    return root.complain(root.at({"host-name"}), "host-name is longer than 255 bytes; write a shorter name");
  name = std::move(text);
}

void fill_ring_buffer(Section section, RingBuffer &ring) {
  std::uint64_t size = ring.size;
  section.size("size", size, 128 * kib, gib);
  if ((size & (size - 1)) != 0) {
    section.complain(section.at({"size"}),
                     section.name("size") + " is no power of two; write one from 128KiB to 1GiB");
  } else {
    ring.size = size;
  }
  section.integer("drain-interval-ms", ring.drain_interval, 1, 1000);
  section.integer("user-budget", ring.user_budget, 0, 1'000'000'000);
}

void fill_bpf(Section section, Bpf &bpf) {
  section.absolute_path("pin-directory", bpf.pin_directory);
  section.flag("keep-on-exit", bpf.keep_on_exit);
}

void fill_pool_records(Section section, PoolRecords &records) {
  constexpr std::int64_t most = 10'000'000;
  section.integer("min", records.min, 1, most);
  section.integer("max", records.max, 0, most);
  section.integer("delta", records.delta, 1, most);
  if (records.max != 0 && records.max < records.min)
    section.complain(section.at({"max", "min"}), section.name("max") + " (" + std::to_string(records.max) +
                                                     ") is below min (" + std::to_string(records.min) +
                                                     "); write 0 for no limit, or at least min");
}

void fill_push_wait(Section section, PushWait &wait) {
  constexpr std::int64_t day = 86400;
  section.integer("min", wait.min, 1, day);
  section.integer("max", wait.max, 1, day);
  section.integer("delta", wait.delta, 0, day);
  section.integer("grow-threshold", wait.grow_threshold, 0, 1'000'000);
  if (wait.max < wait.min)
    section.complain(section.at({"max", "min"}),
                     section.name("max") + " (" + std::to_string(wait.max.count()) + ") is below min (" +
                         std::to_string(wait.min.count()) + "); write at least min");
}

void fill_log_pool(Section section, LogPool &pool) {
  fill_pool_records(section.section("records"), pool.records);
  fill_push_wait(section.section("push-wait-seconds"), pool.push_wait);
}

void fill_spool(Section section, Spool &spool) {
  section.absolute_path("directory", spool.directory);
  section.size("max-size", spool.max_size, mib, std::int64_t{1} << 50);
  section.integer("sync-interval-ms", spool.sync_interval, 0, 60'000);
  section.duration("retain", spool.retain, 365 * 24h);
}

void fill_control(Section section, Control &control) {
  constexpr std::size_t longest = 107;  // sizeof(sockaddr_un::sun_path) without its NUL
  std::string socket = control.socket;
  section.absolute_path("socket", socket);
  if (socket.size() > longest)
    return section.complain(
        section.at({"socket"}),
        section.name("socket") + " is longer than a socket's name can be; at most 107 bytes");
  control.socket = std::move(socket);
}

// "127.0.0.1:9435" or "[::1]:9435".
std::optional<ListenAddress> parse_listen(std::string_view text) {
  const auto colon = text.rfind(':');
  if (colon == std::string_view::npos) return std::nullopt;
  auto host = text.substr(0, colon);
  const auto port_text = text.substr(colon + 1);
  const bool bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (!bracketed && host.find(':') != std::string_view::npos) return std::nullopt;
  const auto address = Address::parse(host);
  const auto port = parse_integer(port_text);
  if (!address || !port || *port < 1 || *port > 65535) return std::nullopt;
  return ListenAddress{*address, static_cast<std::uint16_t>(*port)};
}

void fill_metrics(Section section, Metrics &metrics) {
  std::string text;
  section.text("listen", text);
  if (text.empty()) return;
  metrics.listen = parse_listen(text);
  if (!metrics.listen)
    section.complain(section.at({"listen"}),
                     section.name("listen") + " is " + in_quotes(text) +
                         "; write a numeric address and a port, like \"127.0.0.1:9435\"");
}

void fill_log(Section section, Log &log) {
  section.choice<LogLevel>("level", log.level,
                           {{"trace", LogLevel::trace},
                            {"debug", LogLevel::debug},
                            {"info", LogLevel::info},
                            {"warn", LogLevel::warn},
                            {"error", LogLevel::error}});
}

// Two of the daemon's files with one name: each would destroy or refuse the other.
void check_distinct_paths(const TreeNode &root, const Config &config, Findings &findings) {
  struct Path {
    std::string_view section, key;
    const std::string &path;
    [[nodiscard]] std::string name() const { return std::string{section} + '.' + std::string{key}; }
  };
  const std::array paths{Path{"pam", "fifo-file", config.pam.fifo_file},
                         Path{"spool", "directory", config.spool.directory},
                         Path{"database", "filename", config.database.filename},
                         Path{"control", "socket", config.control.socket}};
  const auto given = [&](const Path &path) {
    const TreeNode *section = root.find(path.section);
    return section == nullptr ? nullptr : section->find(path.key);
  };
  for (auto one = paths.begin(); one != paths.end(); ++one) {
    for (auto other = one + 1; other != paths.end(); ++other) {
      if (one->path != other->path) continue;
      const bool later = given(*other) != nullptr;
      const Path &wrong = later ? *other : *one;
      const Path &kept = later ? *one : *other;
      const TreeNode *node = given(wrong);
      findings.add(node == nullptr ? Position{} : node->at,
                   wrong.name() + " is the same path as " + kept.name() + "; give each a path of its own");
    }
  }
}

}  // namespace

Config fill(const TreeNode &root_node, Findings &findings) {
  Config config;
  Section root{findings, &root_node, ""};
  fill_host_name(root, config.host_name);
  fill_probes(root, config.probes);
  fill_ring_buffer(root.section("ring-buffer"), config.ring_buffer);
  fill_bpf(root.section("bpf"), config.bpf);
  Section pam = root.section("pam");
  pam.absolute_path("fifo-file", config.pam.fifo_file);
  fill_log_pool(root.section("log-pool"), config.log_pool);
  fill_spool(root.section("spool"), config.spool);
  fill_database(root.section("database"), config.database);
  fill_redact(root, config.redact);
  fill_whitelist(root.section("whitelist"), config.whitelist);
  fill_control(root.section("control"), config.control);
  fill_metrics(root.section("metrics"), config.metrics);
  fill_log(root.section("log"), config.log);
  check_distinct_paths(root_node, config, findings);
  findings.report_unknown_keys();
  return config;
}

}  // namespace iptrackd::config
