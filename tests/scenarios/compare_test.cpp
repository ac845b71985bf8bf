// The comparison that every scenario rests on: it must be able to say no.
#include "compare.h"

#include <doctest/doctest.h>

namespace iptrackd::scenario {
namespace {

Json full_row() {
  Json row;
  for (const char *column :
       {"ts",         "host",        "boot_id",        "seq",        "kind",          "result",
        "pid",        "tid",         "ppid",           "sid",        "tty",           "uid",
        "gid",        "euid",        "egid",           "loginuid",   "audit_session", "comm",
        "exe",        "args",        "args_truncated", "cwd",        "proto",         "local_addr",
        "local_port", "remote_addr", "remote_port",    "duration",   "bytes_sent",    "bytes_received",
        "cgroup",     "login_id",    "login_user",     "login_addr", "login_port",    "pam_service",
        "pam_user",   "pam_rhost",   "container",      "job",        "exe_dev",       "exe_inode",
        "mnt_ns",     "opener_pid"}) {
    row[column] = nullptr;
  }
  row["marks"] = Json::array();
  row["kind"] = "close";
  row["seq"] = 7;
  row["pid"] = 100;
  row["ts"] = 5'000'000;
  row["duration"] = 40'000;
  return row;
}

Json expected_row() {
  return {{"kind", "close"},
          {"pid", 100},
          {"ts", {{"between", {4'999'000, 5'000'500}}}},
          {"duration", {{"between", {39'900, 40'100}}}}};
}

}  // namespace

TEST_CASE("compare: a row as expected") {
  CHECK(differences(expected_row(), full_row()).empty());
}

TEST_CASE("compare: each column that differs is named") {
  const Json row = full_row();
  for (const auto &item : row.items()) {
    const std::string &column = item.key();
    CAPTURE(column);
    Json other = row;
    other[column] = column == "seq" ? Json(nullptr) : Json("something else");
    const auto found = differences(expected_row(), other);
    REQUIRE(found.size() == 1);
    CHECK(found[0].starts_with(column + ": "));
    other.erase(column);
    CHECK(differences(expected_row(), other).size() == 1);
  }
}

TEST_CASE("compare: an unknown column is a difference") {
  Json row = full_row();
  row["surprise"] = nullptr;
  CHECK(differences(expected_row(), row).size() == 1);
}

TEST_CASE("compare: times are right within the span and the tolerance") {
  Json row = full_row();
  row["ts"] = 5'000'500 + ts_tolerance_us;
  row["duration"] = 39'900 - duration_tolerance_us;
  CHECK(differences(expected_row(), row).empty());
  row["ts"] = 5'000'501 + ts_tolerance_us;
  row["duration"] = 39'899 - duration_tolerance_us;
  CHECK(differences(expected_row(), row).size() == 2);
}

TEST_CASE("compare: rows are paired whatever their order is") {
  Json first = full_row(), second = full_row();
  Json expected_first = expected_row(), expected_second = expected_row();
  first["local_port"] = expected_first["local_port"] = 1;
  second["local_port"] = expected_second["local_port"] = 2;
  const std::vector<Json> expected{expected_first, expected_second};
  CHECK(differences(expected, std::vector<Json>{second, first}).empty());
  CHECK(differences(expected, std::vector<Json>{second}).size() == 1);
  CHECK(differences(expected, std::vector<Json>{second, first, first}).size() == 1);
  CHECK(differences(expected, std::vector<Json>{}).size() == 2);
}

TEST_CASE("compare: a choice of values") {
  Json expected = expected_row();
  expected["result"] = {{"any_of", {nullptr, -103}}};
  Json row = full_row();
  CHECK(differences(expected, row).empty());
  row["result"] = -103;
  CHECK(differences(expected, row).empty());
  row["result"] = 0;
  CHECK(differences(expected, row).size() == 1);
}

}  // namespace iptrackd::scenario
