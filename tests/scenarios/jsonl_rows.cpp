#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <stdexcept>

#include "rows.h"

namespace iptrackd::scenario {
namespace {

// "2026-01-02T03:04:05.123456Z" as microseconds since 1970.
std::int64_t microseconds_of(const std::string &text) {
  std::tm time{};
  int fraction = 0;
  const int fields = std::sscanf(text.c_str(), "%d-%d-%d%*c%d:%d:%d.%6d", &time.tm_year, &time.tm_mon,
                                 &time.tm_mday, &time.tm_hour, &time.tm_min, &time.tm_sec, &fraction);
  if (fields != 7 || !text.ends_with('Z')) throw std::runtime_error{"not a time: " + text};
  time.tm_year -= 1900;
  time.tm_mon -= 1;
  return std::int64_t{timegm(&time)} * 1'000'000 + fraction;
}

// A close belongs to the period when its socket's use began in it too.
bool lies_within(const Json &row, std::int64_t since, std::int64_t until) {
  const auto ts = row.at("ts").get<std::int64_t>();
  const std::int64_t used = row.at("kind") == "close" ? row.at("duration").get<std::int64_t>() : 0;
  return ts <= until && ts - used >= since;
}

class JsonlRows final : public Rows {
 public:
  explicit JsonlRows(Path file) : file_{std::move(file)} {}

  std::vector<Json> of_processes(const std::set<int> &pids, std::int64_t since) override {
    return select(since,
                  [&](const Json &row) { return row.at("pid").is_number() && pids.contains(row.at("pid")); });
  }
  Counts of_session(int sid, std::int64_t since, std::int64_t until) override {
    return count(since,
                 [=](const Json &row) { return row.at("sid") == sid && lies_within(row, since, until); });
  }
  Counts of_others(int sid, std::int64_t since, std::int64_t until) override {
    return count(since,
                 [=](const Json &row) { return row.at("sid") != sid && lies_within(row, since, until); });
  }
  std::int64_t disorder(std::int64_t since) override {
    const auto rows = select(since, [](const Json &) { return true; });
    std::int64_t wrong = 0;
    for (std::size_t index = 1; index < rows.size(); ++index)
      wrong += rows[index].at("ts") < rows[index - 1].at("ts");
    return wrong;
  }
  std::vector<Json> losses(std::int64_t since) override {
    read_on();
    std::vector<Json> found;
    std::copy_if(losses_.begin(), losses_.end(), std::back_inserter(found),
                 [=](const Json &loss) { return microseconds_of(loss.at("to_ts")) >= since; });
    return found;
  }

 private:
  template <typename Wanted>
  std::vector<Json> select(std::int64_t since, Wanted wanted) {
    read_on();
    std::vector<Json> found;
    for (const Json &row : rows_) {
      if (row.at("ts") >= since && wanted(row)) found.push_back(row);
    }
    std::sort(found.begin(), found.end(),
              [](const Json &a, const Json &b) { return a.at("seq") < b.at("seq"); });
    return found;
  }
  template <typename Wanted>
  Counts count(std::int64_t since, Wanted wanted) {
    Counts counts;
    for (const Json &row : select(since, wanted)) ++counts[row.at("kind")];
    return counts;
  }
  // Only whole lines: the daemon may be writing the last one.
  void read_on() {
    std::ifstream file{file_};
    file.seekg(position_);
    for (std::string line; std::getline(file, line) && !file.eof();) {
      position_ += static_cast<std::streamoff>(line.size()) + 1;
      Json row = Json::parse(line);
      if (row.contains("loss")) {
        losses_.push_back(row.at("loss"));
      } else if (!row.contains("host_event")) {
        rows_.push_back(normalised(std::move(row)));
      }
    }
  }
  static Json normalised(Json row) {
    row["ts"] = microseconds_of(row.at("ts"));
    if (row.at("duration").is_number()) {
      row["duration"] = std::llround(row.at("duration").get<double>() * 1e6);
    }
    // Only a server could have set them.
    row.erase("writer");
    row.erase("received_at");
    return row;
  }

  Path file_;
  std::streamoff position_ = 0;
  std::vector<Json> rows_;
  std::vector<Json> losses_;
};

}  // namespace

std::unique_ptr<Rows> open_jsonl_rows(const Path &file) {
  return std::make_unique<JsonlRows>(file);
}

}  // namespace iptrackd::scenario
