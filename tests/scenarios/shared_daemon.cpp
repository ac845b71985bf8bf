#include "shared_daemon.h"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <stdexcept>

#include "daemon.h"

namespace iptrackd::scenario {
namespace {

std::unique_ptr<Daemon> own_daemon;

DaemonOptions shared_options() {
  DaemonOptions options;
  options.drop_in = settings().drop_in;
  return options;
}

Path description_of(const Path &state) {
  return state / "daemon.json";
}
Path ending_of(const Path &state) {
  return state / "ended.json";
}

Json read_json(const Path &file) {
  std::ifstream stream{file};
  return Json::parse(stream);
}

// Written under another name first: whoever waits for the file finds it whole.
void publish(const Path &file, const Json &json) {
  const Path draft = file.string() + ".new";
  write_file(draft, json.dump());
  std::filesystem::rename(draft, file);
}

std::unique_ptr<Rows> rows_of(const Path &state) {
  const Json description = read_json(description_of(state));
  std::optional<Connection> connection;
  if (description.at("connection").is_object()) connection = description.at("connection").get<Connection>();
  return open_rows(connection, description.at("jsonl").get<std::string>());
}

// The daemon's parent while ctest runs one test program after the other; only a parent learns an exit code.
void supervise(const Path &state) {
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTERM);
  Daemon daemon{shared_options()};
  sigprocmask(SIG_BLOCK, &stop, nullptr);
  const auto &connection = daemon.prepared().connection;
  publish(description_of(state), {{"supervisor", getpid()},
                                  {"connection", connection ? Json(*connection) : Json(nullptr)},
                                  {"jsonl", daemon.prepared().jsonl.string()}});
  int signal = 0;
  sigwait(&stop, &signal);
  const Ended ended = daemon.stop();
  publish(ending_of(state), {{"status", ended.status}, {"output", ended.out + ended.err}});
}

[[noreturn]] void become_supervisor(const Path &state) {
  setsid();
  // ctest waits for whoever holds its pipes.
  const int log = open((state / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  dup2(log, STDOUT_FILENO);
  dup2(log, STDERR_FILENO);
  try {
    supervise(state);
  } catch (const std::exception &error) {
    std::cerr << error.what() << std::endl;
    _exit(1);
  }
  _exit(0);
}

}  // namespace

Rows &shared_rows() {
  static std::unique_ptr<Rows> rows;
  if (settings().state) {
    if (!rows) rows = rows_of(*settings().state);
    return *rows;
  }
  if (!own_daemon) own_daemon = std::make_unique<Daemon>(shared_options());
  return own_daemon->rows();
}

bool stop_own_daemon() {
  if (!own_daemon) return true;
  const Ended ended = own_daemon->stop();
  if (ended.status != 0) std::cerr << "the daemon ended with " << ended.status << ": " << ended.err;
  own_daemon.reset();
  return ended.status == 0;
}

int start_shared_daemon(const Path &state) {
  std::filesystem::remove_all(state);
  std::filesystem::create_directories(state);
  std::ofstream{state / "log"}.flush();
  const pid_t supervisor = fork();
  if (supervisor == 0) become_supervisor(state);
  const bool started = supervisor > 0 && eventually(std::chrono::seconds{60}, [&] {
                         return std::filesystem::exists(description_of(state)) || kill(supervisor, 0) != 0 ||
                                std::filesystem::file_size(state / "log") > 0;
                       });
  if (started && std::filesystem::exists(description_of(state))) return 0;
  std::cerr << std::ifstream{state / "log"}.rdbuf() << std::endl;
  return 1;
}

int stop_shared_daemon(const Path &state) {
  kill(read_json(description_of(state)).at("supervisor"), SIGTERM);
  const bool ended =
      eventually(std::chrono::seconds{40}, [&] { return std::filesystem::exists(ending_of(state)); });
  if (!ended) {
    std::cerr << "the daemon does not stop" << std::endl;
    return 1;
  }
  const Json ending = read_json(ending_of(state));
  std::cout << ending.at("output").get<std::string>();
  return ending.at("status") == 0 ? 0 : 1;
}

}  // namespace iptrackd::scenario
