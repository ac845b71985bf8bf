#include "sink/json_row.h"

#include <array>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <optional>

#include "sink/escape.h"

namespace iptrackd::sink {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::int64_t us_per_second = 1'000'000;

// ISO 8601, UTC. Null where the year is beyond what the C library can tell.
Json time_value(std::int64_t unix_us) {
  std::int64_t second = unix_us / us_per_second;
  std::int64_t fraction = unix_us % us_per_second;
  if (fraction < 0) {
    fraction += us_per_second;
    --second;
  }
  const auto time = static_cast<std::time_t>(second);
  std::tm parts{};
  if (gmtime_r(&time, &parts) == nullptr) return nullptr;
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%04lld-%02d-%02dT%02d:%02d:%02d.%06lldZ",
                static_cast<long long>(parts.tm_year) + 1900, parts.tm_mon + 1, parts.tm_mday, parts.tm_hour,
                parts.tm_min, parts.tm_sec, static_cast<long long>(fraction));
  return text.data();
}

template <typename T>
Json value(const std::optional<T> &known) {
  return known ? Json(*known) : Json(nullptr);
}

Json value(const Text &text) {
  return text.known() ? Json(escaped(text.view())) : Json(nullptr);
}

Json value(const std::optional<Address> &address) {
  return address ? Json(address->to_string()) : Json(nullptr);
}

Json value(const ArgList &args) {
  if (!args.known()) return nullptr;
  Json list = Json::array();
  args.for_each([&](std::string_view argument) { list.push_back(escaped(argument)); });
  return list;
}

Json seconds(const std::optional<std::uint64_t> &ns) {
  if (!ns) return nullptr;
  const std::uint64_t microseconds = *ns / 1000;
  return static_cast<double>(microseconds) / 1e6;
}

Json device(const std::optional<std::uint32_t> &number) {
  if (!number) return nullptr;
  return std::to_string(*number >> 20) + ':' + std::to_string(*number & 0xfffffU);
}

Json mark_names(std::uint32_t bits) {
  Json list = Json::array();
  for (std::size_t i = 0; i < mark_count; ++i) {
    if ((bits >> i) & 1U) list.push_back(mark_name(static_cast<Mark>(1U << i)));
  }
  return list;
}

void add_identity(Json &row, const Event &event) {
  row["pid"] = value(event.pid);
  row["tid"] = value(event.tid);
  row["ppid"] = value(event.ppid);
  row["sid"] = value(event.sid);
  row["tty"] = value(event.tty);
  row["uid"] = value(event.uid);
  row["gid"] = value(event.gid);
  row["euid"] = value(event.euid);
  row["egid"] = value(event.egid);
  row["loginuid"] = value(event.loginuid);
  row["audit_session"] = value(event.audit_session);
  row["comm"] = value(event.comm);
  row["exe"] = value(event.exe);
  row["args"] = value(event.args);
  row["args_truncated"] = value(event.args_truncated);
  row["cwd"] = value(event.cwd);
}

void add_network(Json &row, const Event &event) {
  row["proto"] = event.protocol ? Json(protocol_name(*event.protocol)) : Json(nullptr);
  row["local_addr"] = value(event.local.address);
  row["local_port"] = value(event.local.port);
  row["remote_addr"] = value(event.remote.address);
  row["remote_port"] = value(event.remote.port);
  row["duration"] = seconds(event.duration_ns);
  row["bytes_sent"] = value(event.bytes_sent);
  row["bytes_received"] = value(event.bytes_received);
}

void append_line(std::string &out, const Json &row) {
  // Nothing is left to replace after escaping; the choice keeps dump() from throwing whatever comes.
  out += row.dump(-1, ' ', false, Json::error_handler_t::replace);
  out += '\n';
}

}  // namespace

void append_json(std::string &out, const Event &event, const Origin &origin) {
  Json row;
  row["ts"] = time_value(event.unix_us);
  row["host"] = escaped(origin.host);
  row["boot_id"] = origin.boot_id;
  row["seq"] = event.seq;
  row["kind"] = kind_name(event.kind);
  row["result"] = value(event.result);
  add_identity(row, event);
  add_network(row, event);
  row["cgroup"] = value(event.cgroup);
  for (const char *unset : {"login_id", "login_user", "login_addr", "login_port"}) row[unset] = nullptr;
  row["pam_service"] = value(event.pam_service);
  row["pam_user"] = value(event.pam_user);
  row["pam_rhost"] = value(event.pam_rhost);
  row["container"] = value(event.container);
  row["job"] = value(event.job);
  row["exe_dev"] = device(event.exe_device);
  row["exe_inode"] = value(event.exe_inode);
  row["mnt_ns"] = value(event.mount_namespace);
  row["opener_pid"] = value(event.opener_pid);
  row["marks"] = mark_names(event.marks);
  // Only a server can vouch for these.
  for (const char *unset : {"writer", "received_at"}) row[unset] = nullptr;
  append_line(out, row);
}

void append_json(std::string &out, const Loss &loss, const Origin &origin) {
  Json row;
  row["from_ts"] = time_value(loss.from_unix_us);
  row["to_ts"] = time_value(loss.to_unix_us);
  row["host"] = escaped(origin.host);
  row["stage"] = escaped(loss.stage);
  row["kind"] = loss.kind ? Json(kind_name(*loss.kind)) : Json(nullptr);
  row["cause"] = escaped(loss.cause);
  row["uid"] = value(loss.uid);
  row["count"] = value(loss.count);
  append_line(out, Json{{"loss", row}});
}

void append_json(std::string &out, const HostEvent &event, const Origin &origin) {
  Json row;
  row["ts"] = time_value(event.unix_us);
  row["host"] = escaped(origin.host);
  row["boot_id"] = origin.boot_id;
  row["kind"] = escaped(event.kind);
  row["detail"] = event.detail.empty() ? Json(nullptr) : Json(escaped(event.detail));
  append_line(out, Json{{"host_event", row}});
}

void append_json(std::string &out, const BatchView &view) {
  for (const Event &event : view.events) append_json(out, event, *view.origin);
  for (const Loss &loss : view.losses) append_json(out, loss, *view.origin);
  for (const HostEvent &event : view.host_events) append_json(out, event, *view.origin);
}

std::string json_time(std::int64_t unix_us) {
  const Json time = time_value(unix_us);
  return time.is_string() ? time.get<std::string>() : std::string{};
}

}  // namespace iptrackd::sink
