// What the daemon says when it cannot work: one line or sentence that tells what to do, and nothing left
// behind.
#include <doctest/doctest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <regex>
#include <sstream>

#include "daemon.h"
#include "deed.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

std::vector<std::string> lines_of(const std::string &text) {
  std::vector<std::string> lines;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::set<std::string> names_in(const Path &directory) {
  std::set<std::string> names;
  for (const auto &entry : std::filesystem::directory_iterator{directory})
    names.insert(entry.path().filename());
  return names;
}

// Every verb that reads the configuration refuses it in the same words: FILE:LINE:COLUMN: what; what would be
// right.
void check_refused(const Path &configuration, int line, std::optional<uid_t> user = std::nullopt) {
  for (const char *verb : {"run", "check", "schema"}) {
    CAPTURE(verb);
    Launch launch = daemon_launch(verb, configuration);
    launch.user = user;
    const Ended ended = run(launch);
    CAPTURE(ended.err);
    CHECK(ended.status == 2);
    const auto lines = lines_of(ended.err);
    REQUIRE(lines.size() == 1);
    const std::string place = configuration.string() + ":" + std::to_string(line) + ":";
    CHECK(lines[0].starts_with(place));
    CHECK(
        std::regex_match(lines[0].substr(std::min(place.size(), lines[0].size())), std::regex{R"(\d+: .+)"}));
  }
}

void check_text_refused(const std::string &text, int line) {
  const TemporaryDirectory directory;
  const Path configuration = directory.path() / "bad.yml";
  write_file(configuration, text);
  check_refused(configuration, line);
  CHECK(names_in(directory.path()) == std::set<std::string>{"bad.yml"});
}

// `run` ends with one sentence and exit code STATUS; nothing new stands beside its configuration but a spool,
// and there are no pins.
std::string sentence_of_failure(const Prepared &prepared, const Launch &launch, int status = 1) {
  const auto before = names_in(prepared.configuration.parent_path());
  const Ended ended = run(launch, std::chrono::seconds{30});
  CAPTURE(ended.out);
  CAPTURE(ended.err);
  CHECK(ended.status == status);
  const auto lines = lines_of(ended.err);
  CHECK(lines.size() == 1);
  auto after = names_in(prepared.configuration.parent_path());
  after.erase("spool");
  CHECK(after == before);
  CHECK_FALSE(has_pins(prepared));
  return ended.err;
}

bool mentions(const std::string &text, const std::string &word) {
  const auto same = [](char a, char b) { return std::tolower(a) == std::tolower(b); };
  return std::search(text.begin(), text.end(), word.begin(), word.end(), same) != text.end();
}

}  // namespace

TEST_CASE("bad input: an unknown key") {
  check_text_refused("log: {level: info}\nring-bufer: {size: 1MiB}\n", 2);
}

TEST_CASE("bad input: a value of the wrong type") {
  check_text_refused("\n\nprobes:\n  exec: [1, 2]\n", 4);
}

TEST_CASE("bad input: a size that is none") {
  check_text_refused("ring-buffer:\n  size: lots\n", 2);
}

TEST_CASE("bad input: a ring that is no power of two") {
  check_text_refused("ring-buffer: {size: 3MiB}\n", 1);
}

TEST_CASE("bad input: a combination that cannot be") {
  check_text_refused("log-pool:\n  records:\n    min: 64\n    max: 32\n", 4);
}

TEST_CASE("bad input: text that is no YAML") {
  check_text_refused("log: {level: info\nprobes: [\n", 2);
}

TEST_CASE("bad input: a configuration that is not there") {
  const TemporaryDirectory directory;
  check_refused(directory.path() / "missing.yml", 1);
}

TEST_CASE("bad input: a configuration that may not be read") {
  const TemporaryDirectory directory;
  REQUIRE(chmod(directory.path().c_str(), 0755) == 0);
  const Path configuration = directory.path() / "secret.yml";
  write_file(configuration, "log: {level: info}\n");
  REQUIRE(chmod(configuration.c_str(), 0600) == 0);
  check_refused(configuration, 1, uid_of_nobody);
}

TEST_CASE("bad input: an unknown verb or option") {
  for (const Words &words : {Words{"walk"}, Words{"run", "--configuration"}, Words{}}) {
    Launch launch;
    launch.arguments = words;
    launch.arguments.insert(launch.arguments.begin(), settings().daemon.string());
    const Ended ended = run(launch);
    CHECK(ended.status == 2);
    CHECK_FALSE(ended.err.empty());
  }
}

TEST_CASE("bad input: no privilege") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  REQUIRE(chown(directory.path().c_str(), uid_of_nobody, uid_of_nobody) == 0);
  REQUIRE(chown(prepared.configuration.c_str(), uid_of_nobody, uid_of_nobody) == 0);
  Launch launch = daemon_launch("run", prepared.configuration);
  launch.user = uid_of_nobody;
  CHECK_FALSE(sentence_of_failure(prepared, launch).empty());
}

TEST_CASE("bad input: no BTF") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  Launch launch = daemon_launch("run", prepared.configuration);
  // A kernel without BTF, as far as the daemon can tell: an empty file system lies over its directory.
  launch.prepare = [] {
    const bool hidden = unshare(CLONE_NEWNS) == 0 &&
                        mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0 &&
                        mount("none", "/sys/kernel/btf", "tmpfs", MS_RDONLY, nullptr) == 0;
    if (!hidden) _exit(125);
  };
  CHECK(mentions(sentence_of_failure(prepared, launch), "BTF"));
}

TEST_CASE("bad input: a database without the schema") {
  if (!settings().connection) return skip("rows are read from a file here");
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  CHECK(
      mentions(sentence_of_failure(prepared, daemon_launch("run", prepared.configuration)), "schema apply"));
}

TEST_CASE("bad input: a pin directory with a dot in its name") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {"bpf: {pin-directory: /sys/fs/bpf/a.b}\n"});
  apply_schema(prepared);
  CHECK(mentions(sentence_of_failure(prepared, daemon_launch("run", prepared.configuration), 2), "a.b"));
}

TEST_CASE("bad input: a spool that another daemon uses") {
  Daemon first;
  const TemporaryDirectory directory;
  DaemonOptions options;
  options.drop_in = "spool: {directory: " + (first.directory() / "spool").string() + "}\n";
  const Prepared prepared = prepare(directory.path(), options);
  apply_schema(prepared);
  CHECK(mentions(sentence_of_failure(prepared, daemon_launch("run", prepared.configuration)), "spool"));
  wait_for_rows(first.rows());
  CHECK(first.stop().status == 0);
}

TEST_CASE("bad input: a FIFO that another daemon reads") {
  Daemon first;
  const TemporaryDirectory directory;
  DaemonOptions options;
  options.drop_in = "pam: {fifo-file: " + (first.directory() / "pam.fifo").string() + "}\n";
  const Prepared prepared = prepare(directory.path(), options);
  apply_schema(prepared);
  CHECK(mentions(sentence_of_failure(prepared, daemon_launch("run", prepared.configuration)), "pam.fifo"));
  // The first one goes on as if nothing had happened.
  wait_for_rows(first.rows());
  CHECK(std::filesystem::is_fifo(first.directory() / "pam.fifo"));
  CHECK(first.stop().status == 0);
}

TEST_CASE("bad input: something else in the place of the FIFO") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  write_file(directory.path() / "pam.fifo", "precious");
  CHECK(mentions(sentence_of_failure(prepared, daemon_launch("run", prepared.configuration)), "pam.fifo"));
  CHECK(std::filesystem::file_size(directory.path() / "pam.fifo") == 8);
}

}  // namespace iptrackd::scenario
