// Rows: where the daemon's work is read from. One interface, two ways: PostgreSQL, and the file of the jsonl
// driver.
//
// A row is a JSON object, column name to value, brought into one form: `ts` in microseconds since 1970 UTC,
// `duration` in microseconds, addresses as text without prefix length. Failures throw std::runtime_error.
#ifndef IPTRACKD_TESTS_SCENARIOS_ROWS_H
#define IPTRACKD_TESTS_SCENARIOS_ROWS_H

#include <cstdint>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "settings.h"

namespace iptrackd::scenario {

using Json = nlohmann::json;
using Counts = std::map<std::string, std::int64_t>;  // by kind

class Rows {
 public:
  virtual ~Rows() = default;
  // All rows of these processes since SINCE (microseconds), in the order of seq.
  [[nodiscard]] virtual std::vector<Json> of_processes(const std::set<int> &pids, std::int64_t since) = 0;
  // How many rows a session has, and how many all others have, from SINCE to UNTIL; without the closes of
  // sockets that were in use before, which only a daemon that ran then knows of.
  [[nodiscard]] virtual Counts of_session(int sid, std::int64_t since, std::int64_t until) = 0;
  [[nodiscard]] virtual Counts of_others(int sid, std::int64_t since, std::int64_t until) = 0;
  // Neighbours by seq whose times are in the wrong order.
  [[nodiscard]] virtual std::int64_t disorder(std::int64_t since) = 0;
  // The rows of iptrackd.loss since SINCE: kind (may be null), stage, cause, count (may be null).
  [[nodiscard]] virtual std::vector<Json> losses(std::int64_t since) = 0;
};

[[nodiscard]] std::unique_ptr<Rows> open_postgresql_rows(const Connection &connection);
// The file may not exist yet; it is read on as it grows.
[[nodiscard]] std::unique_ptr<Rows> open_jsonl_rows(const Path &file);

// For set-up: runs one statement, returns the first column of the first row ("" if there is none).
std::string execute(const Connection &connection, const std::string &statement);

}  // namespace iptrackd::scenario

#endif
