// The program itself, run as pam_exec runs it.
#include <doctest/doctest.h>

#include <fstream>
#include <iterator>

#include "core/fd.h"
#include "pam/support.h"

extern "C" {
#include "pam/callback/exit_code.h"
#include "pam/callback/leftover.h"
}

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;

namespace {

constexpr double at_once_ms = 50;  // the contract's bound when nobody reads
constexpr int most_tries = 5;      // a busy machine can make one run late, not each of five

struct CallbackFixture {
  ScratchDirectory scratch;
  std::string fifo = scratch / "pam.fifo";
  std::string leftovers = fifo + ".d";

  [[nodiscard]] Run run(const std::vector<std::string> &more = {}) const {
    std::vector<std::string> arguments{"-p", fifo};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return run_callback(arguments, session_environment());
  }
  // The same, again until one was back at once; TRIES is how often.
  [[nodiscard]] Run run_at_once(std::size_t &tries, const std::vector<std::string> &more = {}) const {
    Run last;
    for (tries = 1; tries <= most_tries; ++tries) {
      last = run(more);
      if (last.wall_ms < at_once_ms) break;
    }
    CHECK(last.wall_ms < at_once_ms);
    return last;
  }
  void make_fifo(mode_t mode = 0600) const {
    REQUIRE(::mkfifo(fifo.c_str(), mode) == 0);
    REQUIRE(::chmod(fifo.c_str(), mode) == 0);
  }
  [[nodiscard]] Fd reader() const { return Fd{::open(fifo.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)}; }
};

ByteVector read_all(int fd) {
  ByteVector bytes(65536);
  const ssize_t size = ::read(fd, bytes.data(), bytes.size());
  bytes.resize(size > 0 ? static_cast<std::size_t>(size) : 0);
  return bytes;
}

void fill(int fd) {
  const ByteVector page(4096);
  while (::write(fd, page.data(), page.size()) > 0) {
  }
}

std::string a_file(const std::string &directory) {
  REQUIRE(file_count(directory) > 0);
  return std::filesystem::directory_iterator {
    directory
    } -> path().string();
}

mode_t mode_of(const std::string &path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status.st_mode & 07777;
}

std::string output_of(const std::vector<std::string> &arguments, int exit_code) {
  const ScratchDirectory scratch;
  const std::string file = scratch / "output";
  const Fd fd{::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)};
  CHECK(run_callback(arguments, {}, fd.get()).exit_code == exit_code);
  std::ifstream stream{file};
  return {std::istreambuf_iterator<char>{stream}, {}};
}

}  // namespace

TEST_CASE("the command line") {
  const std::string help = output_of({"--help"}, exit_delivered);
  CHECK(output_of({"-h"}, exit_delivered) == help);
  for (const char *word :
       {"--fifo", "--timeout", "--version", "session  optional  pam_exec.so", "auth     optional"}) {
    CHECK(help.find(word) != std::string::npos);
  }
  CHECK(output_of({"-V"}, exit_delivered) == output_of({"--version"}, exit_delivered));
  CHECK(output_of({"-V"}, exit_delivered).find("iptrackd-pam-callback ") == 0);
  for (const std::vector<std::string> &wrong : std::vector<std::vector<std::string>>{{"--wrong"},
                                                                                     {"extra"},
                                                                                     {"-p"},
                                                                                     {"-p", ""},
                                                                                     {"--fifo="},
                                                                                     {"-t"},
                                                                                     {"-t", "x"},
                                                                                     {"--timeout=-1"},
                                                                                     {"-x"},
                                                                                     {""}}) {
    CHECK(output_of(wrong, exit_usage).find("--help") != std::string::npos);
  }
}

TEST_CASE("the help lists every exit code") {
  const std::string help = output_of({"--help"}, exit_delivered);
  const std::string table = help.substr(help.find("Exit codes:"));
  for (const int code : {exit_delivered, exit_usage, exit_no_fifo, exit_no_reader, exit_untrusted_fifo,
                         exit_pipe_full, exit_fifo_error, exit_untrusted_directory, exit_too_many_left,
                         exit_cannot_leave, exit_no_pam_type, exit_other_pam_type}) {
    const std::string number = std::to_string(code);
    CHECK(table.find("\n" + std::string(4 - number.size(), ' ') + number + "  ") != std::string::npos);
  }
  CHECK(table.find(std::to_string(most_leftovers)) != std::string::npos);
}

TEST_CASE("with a reader the record is one write" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  const Fd reader = fixture.reader();
  const Run run = fixture.run();
  CHECK(run.exit_code == exit_delivered);
  const auto bytes = read_all(reader.get());
  const Frame frame = inspect_frame(bytes);
  CHECK(frame.state == Frame::State::whole);
  CHECK(frame.size == bytes.size());
  CHECK(file_count(fixture.leftovers) == 0);
  for (const char *spelling : {"-p", "--fifo"}) {
    CHECK(run_callback({spelling, fixture.fifo}, session_environment()).exit_code == exit_delivered);
  }
  CHECK(run_callback({"-p" + fixture.fifo}, session_environment()).exit_code == exit_delivered);
  CHECK(run_callback({"--fifo=" + fixture.fifo}, session_environment()).exit_code == exit_delivered);
}

TEST_CASE("without a FIFO the record is left, at once" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  std::size_t tries = 0;
  const Run run = fixture.run_at_once(tries);
  CHECK(run.exit_code == exit_no_fifo);
  CHECK(file_count(fixture.leftovers) == tries);
  CHECK(mode_of(fixture.leftovers) == 0700);
  const std::string file = a_file(fixture.leftovers);
  CHECK(mode_of(file) == 0600);
  std::ifstream stream{file, std::ios::binary};
  const ByteVector bytes{std::istreambuf_iterator<char>{stream}, {}};
  CHECK(inspect_frame(bytes).state == Frame::State::whole);
}

TEST_CASE("even the directory of the FIFO may be missing" * doctest::skip(not_root)) {
  CallbackFixture fixture;
  const std::string parent = fixture.scratch / "run";
  fixture.fifo = parent + "/pam.fifo";
  CHECK(fixture.run().exit_code == exit_no_fifo);
  CHECK(mode_of(parent) == 0700);
  CHECK(file_count(fixture.fifo + ".d") == 1);
}

TEST_CASE("without a reader the record is left, at once" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  std::size_t tries = 0;
  const Run run = fixture.run_at_once(tries);
  CHECK(run.exit_code == exit_no_reader);
  CHECK(file_count(fixture.leftovers) == tries);
}

TEST_CASE("what is no FIFO of root's own is not written" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  Fd reader;
  SUBCASE("a regular file") {
    std::ofstream{fixture.fifo} << "precious";
  }
  SUBCASE("a directory") {
    REQUIRE(::mkdir(fixture.fifo.c_str(), 0700) == 0);
  }
  SUBCASE("a link to a FIFO") {
    REQUIRE(::mkfifo((fixture.scratch / "other").c_str(), 0600) == 0);
    REQUIRE(::symlink((fixture.scratch / "other").c_str(), fixture.fifo.c_str()) == 0);
    reader = fixture.reader();
  }
  SUBCASE("a FIFO that others may write") {
    fixture.make_fifo(0622);
    reader = fixture.reader();
  }
  SUBCASE("somebody else's FIFO") {
    fixture.make_fifo();
    REQUIRE(::chown(fixture.fifo.c_str(), 1, 1) == 0);
    reader = fixture.reader();
  }
  std::size_t tries = 0;
  const Run run = fixture.run_at_once(tries);
  CHECK(run.exit_code == exit_untrusted_fifo);
  CHECK(file_count(fixture.leftovers) == tries);
  if (reader) {
    CHECK(read_all(reader.get()).empty());
  } else if (std::filesystem::is_regular_file(fixture.fifo)) {
    CHECK(std::filesystem::file_size(fixture.fifo) == 8);
  }
}

TEST_CASE("a full pipe is waited for, without using the processor" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  const Fd reader = fixture.reader();
  fill(reader.get());
  const Run run = fixture.run({"-t", "0.5"});
  CHECK(run.exit_code == exit_pipe_full);
  CHECK(run.wall_ms >= 500);
  CHECK(run.wall_ms < 2000);
  CHECK(run.cpu_ms < 5);
  CHECK(file_count(fixture.leftovers) == 1);

  std::size_t tries = 0;
  CHECK(fixture.run_at_once(tries, {"--timeout=0"}).exit_code == exit_pipe_full);
}

TEST_CASE("room in the pipe ends the wait" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  const Fd reader = fixture.reader();
  fill(reader.get());
  const pid_t child = start_callback({"-p", fixture.fifo, "-t", "20"}, session_environment());
  ::usleep(100'000);
  static_cast<void>(read_all(reader.get()));
  CHECK(wait_for(child).exit_code == exit_delivered);
}

TEST_CASE("a reader that goes away ends the wait" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  Fd reader = fixture.reader();
  fill(reader.get());
  const pid_t child = start_callback({"-p", fixture.fifo, "-t", "20"}, session_environment());
  ::usleep(100'000);
  reader.reset();
  CHECK(wait_for(child).exit_code == exit_no_reader);
  CHECK(file_count(fixture.leftovers) == 1);
}

TEST_CASE("a directory that others could use is refused" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  SUBCASE("a link") {
    REQUIRE(::mkdir((fixture.scratch / "elsewhere").c_str(), 0700) == 0);
    REQUIRE(::symlink((fixture.scratch / "elsewhere").c_str(), fixture.leftovers.c_str()) == 0);
  }
  SUBCASE("writable by others") {
    REQUIRE(::mkdir(fixture.leftovers.c_str(), 0700) == 0);
    REQUIRE(::chmod(fixture.leftovers.c_str(), 0777) == 0);
  }
  SUBCASE("somebody else's") {
    REQUIRE(::mkdir(fixture.leftovers.c_str(), 0700) == 0);
    REQUIRE(::chown(fixture.leftovers.c_str(), 1, 1) == 0);
  }
  SUBCASE("a file") {
    std::ofstream{fixture.leftovers} << "precious";
  }
  CHECK(fixture.run().exit_code == exit_untrusted_directory);
  CHECK(file_count(fixture.scratch / "elsewhere") == 0);
}

TEST_CASE("the number of records that wait is bounded" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  REQUIRE(::mkdir(fixture.leftovers.c_str(), 0700) == 0);
  for (int file = 1; file < most_leftovers; ++file) {
    const Fd fd{::open((fixture.leftovers + "/" + std::to_string(file)).c_str(),
                       O_WRONLY | O_CREAT | O_CLOEXEC, 0600)};
    REQUIRE(fd);
  }
  CHECK(fixture.run().exit_code == exit_no_fifo);
  std::size_t tries = 0;
  CHECK(fixture.run_at_once(tries).exit_code == exit_too_many_left);
  CHECK(file_count(fixture.leftovers) == most_leftovers);
}

TEST_CASE("a path too long for its directory's name loses the record, and says so") {
  CHECK(run_callback({"-p", "/" + std::string(4094, 'x')}, session_environment()).exit_code ==
        exit_untrusted_directory);
}

TEST_CASE("other calls of PAM are not reported" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  CHECK(run_callback({"-p", fixture.fifo}, {}).exit_code == exit_no_pam_type);
  CHECK(run_callback({"-p", fixture.fifo}, {"PAM_TYPE=account"}).exit_code == exit_other_pam_type);
  CHECK(file_count(fixture.scratch.path()) == 0);
}

TEST_CASE("closed standard descriptors do not become the FIFO" * doctest::skip(not_root)) {
  const CallbackFixture fixture;
  fixture.make_fifo();
  const Fd reader = fixture.reader();
  fill(reader.get());
  const pid_t child = start_callback({"-p", fixture.fifo, "-t", "20"}, session_environment(), -1, true);
  ::usleep(200'000);  // it waits for room now
  for (const char *number : {"0", "1", "2"}) {
    std::error_code error;
    const auto target =
        std::filesystem::read_symlink("/proc/" + std::to_string(child) + "/fd/" + number, error);
    CHECK(target == "/dev/null");
  }
  static_cast<void>(read_all(reader.get()));
  CHECK(wait_for(child).exit_code == exit_delivered);
  CHECK(run_callback({"--wrong"}, {}, -1, true).exit_code == exit_usage);
}
