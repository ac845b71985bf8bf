#include "naive.h"

#include <algorithm>
#include <csignal>
#include <sstream>
#include <stdexcept>

#include "compare.h"

namespace iptrackd::scenario {
namespace {

constexpr std::chrono::seconds patience{20};

Launch naive(const Words &words) {
  Launch launch;
  launch.arguments = words;
  launch.arguments.insert(launch.arguments.begin(), (settings().programs / "naive").string());
  return launch;
}

bool lies_in(const Json &range, std::int64_t ts) {
  const Json &ends = range.at("between");
  return ts >= ends.at(0).get<std::int64_t>() - ts_tolerance_us &&
         ts <= ends.at(1).get<std::int64_t>() + ts_tolerance_us;
}

}  // namespace

NaiveReports::NaiveReports(const std::vector<Json> &reports) {
  for (const Json &report : reports) by_pid_[report.at("pid")].push_back(report);
}

const std::vector<Json> &NaiveReports::of_process(int pid) const {
  static const std::vector<Json> none;
  const auto found = by_pid_.find(pid);
  return found == by_pid_.end() ? none : found->second;
}

std::vector<Json> NaiveReports::calls(const std::string &call, int pid) const {
  std::vector<Json> found = of_process(pid);
  std::erase_if(found, [&](const Json &report) { return report.at("call") != call; });
  return found;
}

std::vector<std::string> NaiveReports::names(int pid) const {
  std::vector<std::string> found;
  for (const Json &report : of_process(pid)) {
    if (report.contains("name")) found.push_back(report.at("name"));
  }
  return found;
}

std::int64_t NaiveReports::executed(const std::string &name) const {
  std::int64_t count = 0;
  for (const auto &[pid, reports] : by_pid_) {
    count += std::count_if(reports.begin(), reports.end(),
                           [&](const Json &report) { return report.value("name", "") == name; });
  }
  return count;
}

std::optional<Json> NaiveReports::connect_of(const Json &connect) const {
  for (const Json &report : calls("connect", connect.at("pid"))) {
    if (report.value("port", Json{}) == connect.at("remote_port")) return report;
  }
  return std::nullopt;
}

bool NaiveReports::tells_connect(const Json &connect) const {
  return connect_of(connect).has_value();
}

bool NaiveReports::tells_close(const Json &connect, const Json &close) const {
  const auto connected = connect_of(connect);
  if (!connected || close.at("pid") != connect.at("pid")) return false;
  const auto closes = calls("close", close.at("pid"));
  return std::any_of(closes.begin(), closes.end(), [&](const Json &report) {
    return report.at("fd") == connected->at("fd") && lies_in(close.at("ts"), report.at("ts"));
  });
}

Naive::Naive(const Words &words) : process_{naive(words)} {
  const bool settled = eventually(patience, [&] {
    return process_.out().starts_with("ready\n") || process_.wait(Milliseconds{0}).has_value();
  });
  if (!settled || process_.wait(Milliseconds{0})) throw std::runtime_error{"no control: " + process_.err()};
}

void Naive::kill() {
  process_.signal(SIGKILL);
  if (!process_.wait(patience)) throw std::runtime_error{"the control survives SIGKILL"};
}

NaiveReports Naive::stop() {
  process_.signal(SIGTERM);
  if (process_.wait(patience) != 0) throw std::runtime_error{"the control failed: " + process_.err()};
  std::istringstream lines{process_.out()};
  std::vector<Json> reports;
  std::string line;
  std::getline(lines, line);
  while (std::getline(lines, line)) reports.push_back(Json::parse(line));
  return NaiveReports{reports};
}

}  // namespace iptrackd::scenario
