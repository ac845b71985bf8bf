#include "sink/jsonl_sink.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "sink/database.h"
#include "sink/samples.h"
#include "sink/schema.h"

using namespace iptrackd;
using nlohmann::json;
using sink::JsonlSink;

namespace {

const Origin origin{"node-\xff", "0a1b2c3d-0000-4000-8000-00000000000f"};

struct Directory {
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "jsonl.XXXXXX").string();
    REQUIRE(mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

std::string read(const std::filesystem::path &path) {
  std::ifstream file{path};
  return {std::istreambuf_iterator<char>{file}, {}};
}

std::vector<std::string> lines(const std::string &text) {
  std::vector<std::string> out;
  std::istringstream stream{text};
  for (std::string line; std::getline(stream, line);) out.push_back(line);
  return out;
}

Result<void> open(JsonlSink &sink) {
  auto opened = sink.open(test::sample_spool, origin, {});
  if (!opened) return tl::unexpected{opened.error()};
  return {};
}

Result<void> write(JsonlSink &sink, const std::vector<Event> &events, const std::vector<Loss> &losses = {},
                   const std::vector<HostEvent> &host_events = {}, std::stop_token stop = {}) {
  const auto opened = sink.open(test::sample_spool, origin, {});
  if (!opened) return tl::unexpected{opened.error()};
  const Position from = opened->value_or(Position{});
  const Position to{from.index + events.size() + losses.size() + host_events.size(), from.token + 1};
  return sink.write(test::sample_spool, {&origin, from, to, events, losses, host_events}, std::move(stop));
}

}  // namespace

TEST_CASE("a line tells every column of an event") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  JsonlSink sink{path};
  REQUIRE(open(sink).has_value());
  REQUIRE(write(sink, {test::full_event(), test::bare_event(7, -1)}).has_value());
  const auto written = lines(read(path));
  REQUIRE(written.size() == 2);
  const json expected = json::parse(R"({
    "ts": "2024-11-22T00:00:00.123456Z", "host": "node-\\xff", "boot_id": "0a1b2c3d-0000-4000-8000-00000000000f",
    "seq": 42, "kind": "close", "result": -111, "pid": 101, "tid": 102, "ppid": 103, "sid": 104, "tty": "pts/3",
    "uid": 1001, "gid": 1002, "euid": 1003, "egid": 4294967294, "loginuid": 1005, "audit_session": 1006,
    "comm": "curl", "exe": "/usr/bin/curl", "args": ["curl", "-o", "", "a \"b\",{c}"], "args_truncated": true,
    "cwd": "/home/user", "proto": "tcp", "local_addr": "192.0.2.1", "local_port": 40000,
    "remote_addr": "2001:db8::7", "remote_port": 443, "duration": 3723.000004, "bytes_sent": 5000000001,
    "bytes_received": 5000000002, "cgroup": "/user.slice/session-1.scope", "login_id": null, "login_user": null,
    "login_addr": null, "login_port": null, "pam_service": "sshd", "pam_user": "alice",
    "pam_rhost": "client.example", "container": "0123456789abcdef", "job": "4711.server", "exe_dev": "259:7",
    "exe_inode": 9007199254740993, "mnt_ns": 4026531841, "opener_pid": 105, "marks": ["memfd", "path_truncated"],
    "writer": null, "received_at": null})");
  CHECK(json::parse(written[0]) == expected);
  const json bare = json::parse(written[1]);
  CHECK(bare["ts"] == "1969-12-31T23:59:59.999999Z");
  CHECK(bare["args"].is_null());
  CHECK(bare["marks"] == json::array());
  CHECK(bare.size() == expected.size());
}

TEST_CASE("the names are those of the view activity, in its order") {
  test::Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  std::string names;
  const Directory directory;
  JsonlSink sink{directory.path / "events.jsonl"};
  REQUIRE(open(sink).has_value());
  REQUIRE(write(sink, {test::bare_event(1)}).has_value());
  const auto row = nlohmann::ordered_json::parse(read(directory.path / "events.jsonl"));
  for (const auto &[key, value] : row.items()) names += (names.empty() ? "" : ",") + key;
  CHECK(database.one(
            "SELECT string_agg(attname, ',' ORDER BY attnum) FROM pg_attribute "
            "WHERE attrelid = (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "WHERE relname = 'activity' AND format('%I', nspname) = format('%s', $q$@$q$)) AND attnum > 0") ==
        names);
}

TEST_CASE("hostile bytes make valid JSON, one line each") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  JsonlSink sink{path};
  REQUIRE(open(sink).has_value());
  Event event = test::bare_event(1);
  event.comm.assign(std::string_view{"a\0\xff\n\"\\\x1b", 8});
  REQUIRE(write(sink, {event}).has_value());
  const auto written = lines(read(path));
  REQUIRE(written.size() == 1);
  CHECK(json::parse(written[0])["comm"] == "a\\x00\\xff\n\"\\\x1b\\x00");
}

TEST_CASE("a loss is an object of its own") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  JsonlSink sink{path};
  REQUIRE(open(sink).has_value());
  REQUIRE(write(sink, {}, {{0, 1'500'000, "kernel", "ring-full", Kind::bind, {}, 3U}}).has_value());
  CHECK(json::parse(read(path)) ==
        json::parse(
            R"({"loss": {"from_ts": "1970-01-01T00:00:00.000000Z", "to_ts": "1970-01-01T00:00:01.500000Z",
          "host": "node-\\xff", "stage": "kernel", "kind": "bind", "cause": "ring-full", "uid": null, "count": 3}})"));
}

TEST_CASE("the file is private, appended to, and never a link, a FIFO, or another writer's") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  const auto fault_of = [](const std::filesystem::path &name) {
    JsonlSink sink{name};
    const auto opened = open(sink);
    return opened ? std::string{"opened"} : opened.error().message();
  };
  {
    JsonlSink sink{path};
    REQUIRE(open(sink).has_value());
    REQUIRE(write(sink, {test::bare_event(1)}).has_value());
    CHECK(fault_of(path).find("another process") != std::string::npos);
  }
  struct stat status {};
  REQUIRE(stat(path.c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  JsonlSink again{path};
  REQUIRE(open(again).has_value());
  REQUIRE(write(again, {test::bare_event(2)}).has_value());
  CHECK(lines(read(path)).size() == 2);

  std::filesystem::create_symlink("/etc/passwd", directory.path / "link");
  CHECK(fault_of(directory.path / "link").find("symbolic link") != std::string::npos);
  REQUIRE(mkfifo((directory.path / "fifo").c_str(), 0600) == 0);
  CHECK(fault_of(directory.path / "fifo").find("not a regular file") != std::string::npos);
  CHECK(fault_of(directory.path).find("Is a directory") != std::string::npos);
  CHECK(fault_of("/nonexistent/file").find("No such file") != std::string::npos);
  CHECK(fault_of("").find("needs a filename") != std::string::npos);
}

TEST_CASE("a batch that does not fit is taken back, and a line that a crash cut off is ended") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  std::ofstream{path} << "{\"cut\": ";
  JsonlSink sink{path};
  REQUIRE(open(sink).has_value());
  REQUIRE(write(sink, {test::bare_event(1)}).has_value());
  const std::string before = read(path);
  REQUIRE(lines(before).size() == 2);
  CHECK(json::parse(lines(before)[1])["seq"] == 1);

  rlimit old{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &old) == 0);
  const rlimit small{before.size() + 100, old.rlim_max};
  auto *handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const auto refused = write(sink, {test::bare_event(2), test::bare_event(3)});
  REQUIRE(setrlimit(RLIMIT_FSIZE, &old) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE(!refused);
  CHECK(refused.error().fault() == Fault::environment);
  CHECK(read(path) == before);
  REQUIRE(write(sink, {test::bare_event(2)}).has_value());
  CHECK(lines(read(path)).size() == 3);
}

TEST_CASE("standard output: a closed pipe is an error, a full one is waited for until the stop") {
  auto *handler = std::signal(SIGPIPE, SIG_IGN);
  const int saved = dup(STDOUT_FILENO);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  REQUIRE(dup2(ends[1], STDOUT_FILENO) >= 0);
  JsonlSink sink{"-"};
  const bool opened = open(sink).has_value();
  const auto small = write(sink, {test::bare_event(1)});
  std::string received(65536, '\0');
  received.resize(static_cast<std::size_t>(::read(ends[0], received.data(), received.size())));

  std::stop_source stop;
  std::vector<Event> many(200, test::full_event());
  std::jthread later{[&stop] {
    std::this_thread::sleep_for(std::chrono::milliseconds{100});
    stop.request_stop();
  }};
  const auto full = write(sink, many, {}, {}, stop.get_token());
  later.join();
  close(ends[0]);
  const auto closed = write(sink, {test::bare_event(2)});
  dup2(saved, STDOUT_FILENO);
  close(saved);
  close(ends[1]);
  std::signal(SIGPIPE, handler);

  CHECK(opened);
  CHECK(small.has_value());
  CHECK(json::parse(received)["seq"] == 1);
  REQUIRE(!full);
  CHECK(full.error().fault() == Fault::cancelled);
  REQUIRE(!closed);
  CHECK(closed.error().fault() == Fault::environment);
  CHECK(closed.error().message().find("Broken pipe") != std::string::npos);
}

TEST_CASE("the file's position: what was not finished is cut off, and nothing is written twice") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  const auto position_of = [&path] {
    JsonlSink sink{path};
    return **sink.open(test::sample_spool, origin, {});
  };
  {
    JsonlSink sink{path};
    REQUIRE(open(sink).has_value());
    REQUIRE(write(sink, {test::bare_event(1), test::bare_event(2)}, {}, {{1, "start", "x"}}).has_value());
    const std::vector<Event> events{test::bare_event(3)};
    const auto moved = sink.write(test::sample_spool, {&origin, {2, 1}, {3, 9}, events, {}, {}}, {});
    REQUIRE(!moved);
    CHECK(moved.error().fault() == Fault::moved);
  }
  const std::string before = read(path);
  CHECK(json::parse(lines(before)[2])["host_event"]["kind"] == "start");
  CHECK(position_of() == Position{3, 1});
  std::ofstream{path, std::ios::app} << "{\"seq\": 3}\n{\"seq\": 4";  // killed within a view
  CHECK(position_of() == Position{3, 1});
  CHECK(read(path) == before);
  JsonlSink sink{path};
  REQUIRE(write(sink, {test::bare_event(3)}).has_value());
  CHECK(lines(read(path)).size() == 4);
  CHECK(**sink.open("5b001000-0000-4000-8000-000000000002", origin, {}) == Position{});
}

TEST_CASE("a view that was cut off by the death of its writer is taken back, also the very first one") {
  for (const bool first : {true, false}) {
    const Directory directory;
    const auto path = directory.path / "events.jsonl";
    std::ofstream{path} << "{\"older\": 1}\n";
    if (!first) {
      JsonlSink sink{path};
      REQUIRE(write(sink, {test::bare_event(1)}).has_value());
    }
    const std::string before = read(path);
    const pid_t child = fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      rlimit small{before.size() + 5000, before.size() + 5000};
      setrlimit(RLIMIT_FSIZE, &small);  // SIGXFSZ kills it in the midst
      JsonlSink sink{path};
      (void)write(sink, std::vector<Event>(100, test::bare_event(2)));
      _exit(0);
    }
    int status = 0;
    REQUIRE(waitpid(child, &status, 0) == child);
    REQUIRE(WIFSIGNALED(status));
    CHECK(read(path).size() > before.size());
    JsonlSink sink{path};
    REQUIRE(open(sink).has_value());
    CHECK(read(path) == before);
  }
}

TEST_CASE("a file that was rotated away, or cut by others, is gone on with") {
  const Directory directory;
  const auto path = directory.path / "events.jsonl";
  {
    JsonlSink sink{path};
    REQUIRE(write(sink, {test::bare_event(1)}).has_value());
  }
  std::filesystem::rename(path, directory.path / "events.jsonl.1");
  std::ofstream{path} << std::string(5000, '\n');
  {
    JsonlSink sink{path};
    CHECK(**sink.open(test::sample_spool, origin, {}) == Position{1, 1});
    CHECK(read(path).size() == 5000);
    REQUIRE(write(sink, {test::bare_event(2)}).has_value());
  }
  std::filesystem::resize_file(path, 0);
  {
    JsonlSink sink{path};
    REQUIRE(write(sink, {test::bare_event(3)}).has_value());
    CHECK(lines(read(path)).size() == 1);
    CHECK(**sink.open(test::sample_spool, origin, {}) == Position{3, 3});
  }
  std::ofstream{path.string() + ".position"} << "iptrackd-position 1 damaged\n";
  JsonlSink sink{path};
  const auto damaged = open(sink);
  REQUIRE(!damaged);
  CHECK(damaged.error().fault() == Fault::environment);
}
