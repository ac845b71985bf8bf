#include "sshd.h"

#include <sstream>
#include <stdexcept>
#include <utility>

namespace iptrackd::scenario {
namespace {

constexpr std::chrono::minutes longest{10};

Launch launch_script(std::vector<std::string> arguments) {
  const Path script = settings().scripts / ".." / "tests" / "scenarios" / "sshd" / "sshd.sh";
  arguments.insert(arguments.begin(), script.string());
  Launch launch;
  launch.arguments = std::move(arguments);
  return launch;
}

std::string run_script(const std::vector<std::string> &arguments) {
  const Ended ended = run(launch_script(arguments), longest);
  if (ended.status != 0) throw std::runtime_error{"sshd.sh " + arguments.front() + ": " + ended.err};
  return ended.out;
}

}  // namespace

Path callback_program() {
  return settings().daemon.parent_path() / "iptrackd-pam-callback";
}

Sshd::Sshd(const Path &fifo, const Path &callback) {
  (void)run_script({"start", state(), fifo.string(), callback.string()});
}

Sshd::~Sshd() {
  (void)run(launch_script({"stop", state()}));
}

std::vector<Json> Sshd::log_in(const std::string &method, int count) const {
  std::istringstream lines{run_script({method, state(), std::to_string(count)})};
  std::vector<Json> facts;
  for (std::string line; std::getline(lines, line);) facts.push_back(Json::parse(line));
  return facts;
}

}  // namespace iptrackd::scenario
