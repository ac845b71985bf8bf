#include "daemon.h"

#include <unistd.h>

#include <chrono>
#include <fstream>
#include <stdexcept>
#include <system_error>

namespace iptrackd::scenario {
namespace {

// Tests run at the same time neither share a database nor see each other's rows.
Connection own_database(Connection connection) {
  static int number = 0;
  // PIDs come again within one run of all cases; a moment of one does not.
  const auto now = std::chrono::system_clock::now().time_since_epoch().count();
  const std::string name =
      "scenario_" + std::to_string(getpid()) + "_" + std::to_string(now) + "_" + std::to_string(++number);
  execute(connection, "CREATE DATABASE " + name);
  connection["dbname"] = name;
  return connection;
}

std::string database_section(const Prepared &prepared) {
  if (!prepared.connection)
    return "database: {driver-name: jsonl, filename: " + prepared.jsonl.string() + "}\n";
  std::string section = "database:\n  driver-name: postgresql\n";
  for (const auto &[keyword, value] : *prepared.connection)
    section.append("  ").append(keyword).append(": \"").append(value).append("\"\n");
  return section;
}

void write_drop_in(const Prepared &prepared, const std::string &text) {
  const Path drop_ins = prepared.configuration.string() + ".d";
  std::filesystem::create_directory(drop_ins);
  write_file(drop_ins / "50-scenario.yml", text);
}

// A daemon that was killed leaves its programs at work.
Path pins_of(const Path &directory) {
  return Path{"/sys/fs/bpf"} / directory.filename();
}

}  // namespace

TemporaryDirectory::TemporaryDirectory() {
  std::string name = "/tmp/iptrackd-scenario-XXXXXX";  // no dot: the pins' directory has the same name
  if (mkdtemp(name.data()) == nullptr) throw std::system_error{errno, std::generic_category(), "mkdtemp"};
  path_ = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
  std::filesystem::remove_all(pins_of(path_), ignored);
}

void write_file(const Path &file, const std::string &text) {
  std::ofstream stream{file, std::ios::binary};
  if (!(stream << text << std::flush)) throw std::runtime_error{"cannot write " + file.string()};
}

Launch daemon_launch(const std::string &verb, const Path &configuration) {
  Launch launch;
  launch.arguments = {settings().daemon.string(), verb, "--config", configuration.string()};
  if (verb == "schema") launch.arguments.insert(launch.arguments.begin() + 2, "apply");
  return launch;
}

Prepared prepare(const Path &directory, const DaemonOptions &options) {
  Prepared prepared;
  prepared.configuration = directory / "iptrackd.yml";
  prepared.pins = pins_of(directory);
  prepared.jsonl = directory / "rows.jsonl";
  prepared.connection = options.connection;
  if (!prepared.connection && settings().connection) {
    prepared.connection = own_database(*settings().connection);
  }
  write_file(prepared.configuration,
             "probes: {mechanism: " + settings().mechanism + "}\n" +
                 "bpf: {pin-directory: " + prepared.pins.string() + ", keep-on-exit: false}\n" +
                 "pam: {fifo-file: " + (directory / "pam.fifo").string() + "}\n" +
                 "control: {socket: " + (directory / "control.sock").string() + "}\n" +
                 "spool: {directory: " + (directory / "spool").string() + "}\n" + database_section(prepared));
  if (!options.drop_in.empty()) write_drop_in(prepared, options.drop_in);
  return prepared;
}

bool has_pins(const Prepared &prepared) {
  std::error_code not_there;
  return std::filesystem::exists(prepared.pins, not_there);
}

void apply_schema(const Prepared &prepared) {
  if (!prepared.connection) return;
  const Ended applied = run(daemon_launch("schema", prepared.configuration));
  if (applied.status != 0) throw std::runtime_error{"schema apply failed: " + applied.out + applied.err};
}

std::unique_ptr<Rows> open_rows(const std::optional<Connection> &connection, const Path &jsonl) {
  return connection ? open_postgresql_rows(*connection) : open_jsonl_rows(jsonl);
}

Daemon::Daemon(const DaemonOptions &options) : prepared_{prepare(directory_.path(), options)} {
  apply_schema(prepared_);
  launch_ = daemon_launch("run", prepared_.configuration);
  if (options.adjust) options.adjust(launch_);
  start_again_and_wait();
  rows_ = open_rows(prepared_.connection, prepared_.jsonl);
}

void Daemon::start_again() {
  process_ = std::make_unique<Process>(launch_);
}

void Daemon::start_again_and_wait() {
  start_again();
  wait_until_ready();
}

void Daemon::wait_until_ready() {
  const auto ready = [&] {
    return (process_->out() + process_->err()).find("ready") != std::string::npos ||
           process_->wait(Milliseconds{0}).has_value();
  };
  const bool settled = eventually(std::chrono::seconds{30}, ready);
  if (!settled || process_->wait(Milliseconds{0})) {
    throw std::runtime_error{"the daemon is not ready: " + process_->out() + process_->err()};
  }
}

Json Daemon::status() const {
  Launch launch = daemon_launch("status", prepared_.configuration);
  launch.arguments.emplace_back("--json");
  const Ended ended = run(launch);
  if (ended.status != 0) throw std::runtime_error{"no status: " + ended.err};
  return Json::parse(ended.out);
}

void Daemon::reconfigure(const std::string &drop_in) const {
  write_drop_in(prepared_, drop_in);
}

void Daemon::kill() {
  process_->signal(SIGKILL);
  if (!process_->wait(std::chrono::seconds{10})) throw std::runtime_error{"the daemon survives SIGKILL"};
}

Ended Daemon::stop(int signal, Milliseconds timeout) {
  process_->signal(signal);
  if (!process_->wait(timeout)) process_->signal(SIGKILL);
  const int status = process_->wait(std::chrono::seconds{10}).value();
  return {status, process_->out(), process_->err()};
}

}  // namespace iptrackd::scenario
