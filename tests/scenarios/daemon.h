// Daemon: one `iptrackd run` with a configuration, directory and database of its own.
#ifndef IPTRACKD_TESTS_SCENARIOS_DAEMON_H
#define IPTRACKD_TESTS_SCENARIOS_DAEMON_H

#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "process.h"
#include "rows.h"

namespace iptrackd::scenario {

// Removed with everything in it, and with the pins of a daemon that ran there.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;
  [[nodiscard]] const Path &path() const { return path_; }

 private:
  Path path_;
};

void write_file(const Path &file, const std::string &text);

struct DaemonOptions {
  std::string drop_in;                        // YAML, put into FILE.d/
  std::optional<Connection> connection = {};  // of a database that holds no schema yet; else one is made
  std::function<void(Launch &)> adjust = {};  // changes how the daemon is started
};

// A configuration in DIRECTORY, FIFO and pins included, whose rows go to where the settings say. CONNECTION
// is the database.
struct Prepared {
  Path configuration;
  Path pins;
  std::optional<Connection> connection;
  Path jsonl;
};
// Is there a pin directory? Without a mounted bpf file system there can be none.
[[nodiscard]] bool has_pins(const Prepared &prepared);
[[nodiscard]] Prepared prepare(const Path &directory, const DaemonOptions &options);
// `iptrackd schema apply`; throws where it fails.
void apply_schema(const Prepared &prepared);
[[nodiscard]] Launch daemon_launch(const std::string &verb, const Path &configuration);

class Daemon {
 public:
  // Returns when the daemon has said that it is ready, or that it is not; throws std::runtime_error with its
  // output where it does not.
  explicit Daemon(const DaemonOptions &options = {});

  [[nodiscard]] Rows &rows() { return *rows_; }
  [[nodiscard]] Process &process() { return *process_; }
  [[nodiscard]] const Process &process() const { return *process_; }
  [[nodiscard]] const Prepared &prepared() const { return prepared_; }
  [[nodiscard]] const Path &directory() const { return directory_.path(); }
  // Another daemon in the place of one that has ended, with everything that it left. Returns at once, or as
  // the constructor does.
  void start_again();
  void start_again_and_wait();
  // What `iptrackd status --json` says of it; throws where it says nothing.
  [[nodiscard]] Json status() const;
  // Its part of the log so far.
  [[nodiscard]] std::string said() const { return process_->out() + process_->err(); }
  // Puts another drop-in in the place of the one that it was started with, for a reload or the next start.
  void reconfigure(const std::string &drop_in) const;
  // Changes how the next one is started.
  void use(const std::function<void(Launch &)> &adjust) { adjust(launch_); }
  // kill -9.
  void kill();
  // Sends SIGNAL and returns what the daemon left; one that does not end in time is killed.
  [[nodiscard]] Ended stop(int signal = SIGTERM, Milliseconds timeout = std::chrono::seconds{20});

 private:
  void wait_until_ready();

  TemporaryDirectory directory_;
  Prepared prepared_;
  Launch launch_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<Rows> rows_;
};

[[nodiscard]] std::unique_ptr<Rows> open_rows(const std::optional<Connection> &connection, const Path &jsonl);

}  // namespace iptrackd::scenario

#endif
