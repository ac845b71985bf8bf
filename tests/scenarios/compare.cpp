#include "compare.h"

#include <algorithm>
#include <array>
#include <set>

namespace iptrackd::scenario {
namespace {

// The view iptrackd.activity, whole.
constexpr std::array columns{
    "ts",         "host",        "boot_id",        "seq",        "kind",          "result",
    "pid",        "tid",         "ppid",           "sid",        "tty",           "uid",
    "gid",        "euid",        "egid",           "loginuid",   "audit_session", "comm",
    "exe",        "args",        "args_truncated", "cwd",        "proto",         "local_addr",
    "local_port", "remote_addr", "remote_port",    "duration",   "bytes_sent",    "bytes_received",
    "cgroup",     "login_id",    "login_user",     "login_addr", "login_port",    "pam_service",
    "pam_user",   "pam_rhost",   "container",      "job",        "exe_dev",       "exe_inode",
    "mnt_ns",     "opener_pid",  "marks",
};
// What the server adds to each row; not every driver has a server.
const std::set<std::string> of_the_server{"writer", "received_at"};

std::int64_t tolerance_of(const std::string &column) {
  if (column == "ts") return ts_tolerance_us;
  return column == "duration" ? duration_tolerance_us : 0;
}

bool within(const Json &range, const Json &value, std::int64_t tolerance) {
  if (!value.is_number_integer()) return false;
  const auto number = value.get<std::int64_t>();
  return number >= range.at(0).get<std::int64_t>() - tolerance &&
         number <= range.at(1).get<std::int64_t>() + tolerance;
}

bool matches(const std::string &column, const Json &expected, const Json &value) {
  if (!expected.is_object()) return expected == value;
  if (expected.contains("not_null")) return !value.is_null();
  if (expected.contains("any_of")) {
    const Json &choices = expected.at("any_of");
    return std::find(choices.begin(), choices.end(), value) != choices.end();
  }
  return within(expected.at("between"), value, tolerance_of(column));
}

Json expected_in(const Json &expected, const std::string &column) {
  if (expected.contains(column)) return expected.at(column);
  if (column == "seq") return {{"not_null", true}};
  if (column == "marks") return Json::array();
  return nullptr;
}

std::string summary(const Json &row) {
  std::string text;
  for (const char *column : {"kind", "pid", "tid", "proto", "local_port", "remote_port", "result", "exe"}) {
    text += std::string{" "} + column + "=" + row.value(column, Json(nullptr)).dump();
  }
  return text;
}

// How unlike a row is what was expected. What tells one event from another weighs more than anything else.
std::size_t distance(const Json &expected, const Json &row) {
  std::size_t different = differences(expected, row).size();
  for (const char *column : {"kind", "pid", "tid", "proto", "local_port", "remote_port", "result"}) {
    if (!matches(column, expected_in(expected, column), row.value(column, Json(nullptr)))) different += 100;
  }
  return different;
}

struct Pair {
  std::size_t distance;
  std::size_t expected;
  std::size_t row;
};

// All pairs of one kind, the most similar first.
std::vector<Pair> pairs_of(const std::vector<Json> &expected, const std::vector<Json> &rows) {
  std::vector<Pair> pairs;
  for (std::size_t wanted = 0; wanted < expected.size(); ++wanted) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      if (expected[wanted].at("kind") != rows[row].at("kind")) continue;
      pairs.push_back({distance(expected[wanted], rows[row]), wanted, row});
    }
  }
  std::stable_sort(pairs.begin(), pairs.end(),
                   [](const Pair &a, const Pair &b) { return a.distance < b.distance; });
  return pairs;
}

}  // namespace

std::vector<std::string> differences(const Json &expected, const Json &row) {
  std::vector<std::string> found;
  for (const std::string column : columns) {
    const Json wanted = expected_in(expected, column);
    if (!row.contains(column)) {
      found.push_back(column + ": there is no such column");
    } else if (!matches(column, wanted, row.at(column))) {
      found.push_back(column + ": expected " + wanted.dump() + ", got " + row.at(column).dump());
    }
  }
  for (const auto &[column, value] : row.items()) {
    const bool known = std::find(columns.begin(), columns.end(), column) != columns.end();
    if (!known && !of_the_server.contains(column)) found.push_back(column + ": a column that nobody knows");
    if (of_the_server.contains(column) && value.is_null()) found.push_back(column + ": NULL");
  }
  return found;
}

std::vector<std::string> differences(const std::vector<Json> &expected, const std::vector<Json> &rows) {
  const std::vector<Pair> pairs = pairs_of(expected, rows);
  std::set<std::size_t> paired, claimed;
  std::vector<std::string> found;
  for (const Pair &pair : pairs) {
    if (paired.contains(pair.expected) || claimed.contains(pair.row)) continue;
    paired.insert(pair.expected);
    claimed.insert(pair.row);
    for (const std::string &difference : differences(expected[pair.expected], rows[pair.row])) {
      found.push_back("row" + summary(expected[pair.expected]) + "\n    " + difference);
    }
  }
  for (std::size_t index = 0; index < expected.size(); ++index) {
    if (!paired.contains(index)) found.push_back("no row for" + summary(expected[index]));
  }
  for (std::size_t index = 0; index < rows.size(); ++index) {
    if (!claimed.contains(index)) found.push_back("a row that nothing explains:" + summary(rows[index]));
  }
  return found;
}

}  // namespace iptrackd::scenario
