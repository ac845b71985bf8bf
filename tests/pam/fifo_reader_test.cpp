#include "pam/fifo_reader.h"

#include <doctest/doctest.h>

#include <fstream>
#include <map>
#include <set>
#include <thread>

#include "pam/support.h"

extern "C" {
#include "pam/callback/exit_code.h"
}

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;
using namespace std::chrono_literals;

namespace {

struct Row {
  Kind kind;
  std::string user;
  std::uint64_t boot_ns;
  std::optional<std::int32_t> pid, ppid;
};

// A reader with its thread and a pool; the kernel's source is finished, so that only PAM sets the pace.
class FifoReaderFixture {
 public:
  ScratchDirectory scratch;
  std::string fifo = scratch / "pam.fifo";
  std::string leftovers = fifo + ".d";

  explicit FifoReaderFixture(std::size_t most_records = 0) {
    options_.max = most_records;
    if (most_records > 0) options_.min = options_.delta = most_records;
  }
  FifoReaderFixture(const FifoReaderFixture &) = delete;
  FifoReaderFixture &operator=(const FifoReaderFixture &) = delete;
  ~FifoReaderFixture() { stop(); }

  void start() {
    auto created = FifoReader::create({fifo, 1U << 20, 10ms, 50ms});
    REQUIRE(created);
    reader_ = std::move(*created);
    pool_.emplace(options_);
    pool_->finish(Pool::Source::kernel);
    thread_ = std::jthread{[this](const std::stop_token &stop) { reader_->run(*pool_, stop); }};
  }

  // What has come within TIMEOUT, or as soon as COUNT have.
  std::vector<Row> take(std::size_t count, std::chrono::milliseconds timeout = 10s) {
    std::vector<Row> rows;
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    bool more = true;
    while (more && rows.size() < count && std::chrono::steady_clock::now() < deadline) {
      std::vector<EventPtr> events;
      more = pool_->take(events, 64, 20ms);
      for (const auto &event : events) {
        rows.push_back(
            {event->kind, std::string{event->pam_user.view()}, event->boot_ns, event->pid, event->ppid});
        reader_->settle(*event);
      }
    }
    return rows;
  }

  void request_stop() { thread_.request_stop(); }
  void stop() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
  }
  void forget() {
    stop();
    if (reader_) reader_->tidy();
    pool_.reset();
    reader_.reset();
  }
  [[nodiscard]] FifoReader::Counts counts() const { return reader_->counts(); }
  [[nodiscard]] Run callback(const std::string &user, std::vector<std::string> more = {}) const {
    more.insert(more.begin(), {"-p", fifo});
    return run_callback(more, session_environment(user));
  }
  void write(const ByteVector &bytes) const {
    const Fd fd{::open(fifo.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
    REQUIRE(::write(fd.get(), bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  }

 private:
  Pool::Options options_;
  std::unique_ptr<FifoReader> reader_;
  std::optional<Pool> pool_;
  std::jthread thread_;
};

// A process that works when it is told to. It is forked before the reader's thread is there: a child of a
// process with threads may not allocate.
class Worker {
 public:
  template <typename Work>
  void start(Work work) {
    std::array<int, 2> ends{};
    REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
    Fd wait_end{ends[0]};
    go_.reset(ends[1]);
    child_ = ::fork();
    if (child_ != 0) return;
    go_.reset();
    char byte = 0;
    static_cast<void>(::read(wait_end.get(), &byte, 1));
    ::_exit(work());
  }
  void go() { REQUIRE(::write(go_.get(), "x", 1) == 1); }
  [[nodiscard]] int wait() const {
    int status = -1;
    ::waitpid(child_, &status, 0);
    return status;
  }

 private:
  Fd go_;
  pid_t child_ = -1;
};

std::vector<std::string> users(const std::vector<Row> &rows) {
  std::vector<std::string> users;
  users.reserve(rows.size());
  for (const auto &row : rows) users.push_back(row.user);
  return users;
}

ByteVector record_of(const std::string &user) {
  RecordBuilder builder;
  builder.fields[IPTRACKD_PAM_FIELD_USER] = user;
  return builder.bytes();
}

template <typename Condition>
bool within(std::chrono::milliseconds timeout, Condition condition) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(2ms);
  }
  return true;
}

}  // namespace

TEST_CASE("a callback's record becomes an event" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  fixture.start();
  CHECK(fixture.callback("alice").exit_code == exit_delivered);
  const auto rows = fixture.take(1);
  REQUIRE(rows.size() == 1);
  CHECK(rows[0].kind == Kind::open_session);
  CHECK(rows[0].user == "alice");
  CHECK(rows[0].ppid == getpid());
  CHECK(fixture.counts().records == 1);
}

TEST_CASE("200 callbacks of 20 processes at once: 200 events, each intact" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  constexpr std::size_t processes = 20, each = 10;
  // Different lengths, so that a merged or torn record could not look right by chance.
  const auto name = [](std::size_t process, std::size_t number) {
    return std::to_string(process) + "." + std::to_string(number) + "." + std::string(25 * number, 'u');
  };
  std::array<Worker, processes> workers;
  for (std::size_t process = 0; process < processes; ++process) {
    workers[process].start([&, process] {
      int failed = 0;
      for (std::size_t number = 0; number < each; ++number) {
        if (fixture.callback(name(process, number)).exit_code != exit_delivered) ++failed;
      }
      return failed;
    });
  }
  fixture.start();
  for (auto &worker : workers) worker.go();
  const auto names = users(fixture.take(processes * each));
  for (auto &worker : workers) CHECK(worker.wait() == 0);
  CHECK(names.size() == processes * each);
  const std::set<std::string> distinct{names.begin(), names.end()};
  CHECK(distinct.size() == processes * each);
  for (std::size_t process = 0; process < processes; ++process) {
    for (std::size_t number = 0; number < each; ++number) CHECK(distinct.count(name(process, number)) == 1);
  }
  CHECK(fixture.counts().garbage_bytes == 0);
  CHECK(fixture.counts().bad_records == 0);
}

TEST_CASE("records that were left come in, oldest first, and their files go" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  CHECK(fixture.callback("first").exit_code == exit_no_fifo);
  CHECK(fixture.callback("second").exit_code == exit_no_fifo);
  fixture.start();
  CHECK(users(fixture.take(2)) == std::vector<std::string>{"first", "second"});
  CHECK(within(2s, [&] { return file_count(fixture.leftovers) == 0; }));
  CHECK(fixture.counts().leftovers == 2);
}

TEST_CASE("records that are left while it runs come in as well" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  fixture.start();
  REQUIRE(::unlink(fixture.fifo.c_str()) == 0);
  CHECK(fixture.callback("late").exit_code == exit_no_fifo);
  CHECK(users(fixture.take(1)) == std::vector<std::string>{"late"});
}

TEST_CASE("bad leftovers are counted and removed" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  REQUIRE(::mkdir(fixture.leftovers.c_str(), 0700) == 0);
  std::ofstream{fixture.leftovers + "/1"} << "nonsense";
  RecordBuilder unknown;
  unknown.header.type = 99;
  const auto bytes = unknown.bytes();
  std::ofstream{fixture.leftovers + "/2"}.write(reinterpret_cast<const char *>(bytes.data()),
                                                static_cast<std::streamsize>(bytes.size()));
  fixture.start();
  CHECK(within(2s, [&] { return fixture.counts().bad_leftovers == 2; }));
  CHECK(file_count(fixture.leftovers) == 0);
}

TEST_CASE("garbage in the FIFO is counted, and costs no record") {
  FifoReaderFixture fixture;
  fixture.start();
  const std::string text = "192.0.2.1,192.0.2.2,22,1,alice,2026-01-01 00:00:00\n";
  fixture.write(record_of("before"));
  fixture.write({text.begin(), text.end()});
  fixture.write(record_of("between"));
  auto damaged = record_of("damaged");
  damaged.back() ^= 1;
  fixture.write(damaged);
  RecordBuilder unknown;
  unknown.header.type = 99;
  fixture.write(unknown.bytes());
  fixture.write(record_of("behind"));
  CHECK(users(fixture.take(3)) == std::vector<std::string>{"before", "between", "behind"});
  CHECK(within(2s, [&] { return fixture.counts().bad_records == 2; }));
  CHECK(fixture.counts().garbage_bytes == text.size() + damaged.size());
  CHECK(fixture.counts().records == 3);
}

TEST_CASE("half a record does not hold up the next one") {
  FifoReaderFixture fixture;
  fixture.start();
  auto half = record_of(std::string(1000, 'x'));
  half.resize(half.size() / 2);
  fixture.write(half);
  CHECK(within(2s, [&] { return fixture.counts().bad_records == 1; }));
  fixture.write(record_of("next"));
  CHECK(users(fixture.take(1)) == std::vector<std::string>{"next"});
  CHECK(fixture.counts().garbage_bytes == half.size());
}

TEST_CASE("an idle reader keeps telling the pool the time, and uses next to no processor") {
  FifoReaderFixture fixture;
  fixture.start();
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  std::this_thread::sleep_for(500ms);
  ::getrusage(RUSAGE_SELF, &after);
  const double used = milliseconds(after.ru_utime) + milliseconds(after.ru_stime) -
                      milliseconds(before.ru_utime) - milliseconds(before.ru_stime);
  CHECK(used < 50);
  // Without the word of the PAM source nothing would leave the pool.
  RecordBuilder builder;
  const auto now = std::chrono::steady_clock::now();
  fixture.write(builder.bytes());
  CHECK(fixture.take(1).size() == 1);
  CHECK(std::chrono::steady_clock::now() - now < 1s);
}

TEST_CASE("what is written before the stop is handed in, and the name is gone") {
  FifoReaderFixture fixture;
  fixture.start();
  for (int number = 0; number < 50; ++number) fixture.write(record_of(std::to_string(number)));
  fixture.stop();
  CHECK(fixture.take(1000).size() == 50);  // ends when every source has finished
  CHECK_FALSE(std::filesystem::exists(fixture.fifo));
}

TEST_CASE("callbacks during a restart: every record arrives once" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  constexpr int total = 120;
  Worker writer;
  writer.start([&] {
    for (int number = 0; number < total; ++number) {
      const int code = fixture.callback(std::to_string(number)).exit_code;
      if (code != exit_delivered && code != exit_no_fifo && code != exit_no_reader) return 1;
    }
    return 0;
  });
  fixture.start();
  writer.go();
  std::multiset<std::string> seen;
  for (int restart = 0; restart < 3; ++restart) {
    std::this_thread::sleep_for(20ms);
    fixture.stop();
    for (const auto &user : users(fixture.take(1000))) seen.insert(user);
    fixture.forget();
    fixture.start();
  }
  CHECK(writer.wait() == 0);
  for (const auto &user : users(fixture.take(total - seen.size()))) seen.insert(user);
  CHECK(seen.size() == total);
  for (int number = 0; number < total; ++number) CHECK(seen.count(std::to_string(number)) == 1);
}

TEST_CASE("when the pool is full the pipe fills, the callback waits, and no record is lost" *
          doctest::skip(not_root)) {
  FifoReaderFixture fixture{4};
  fixture.start();
  // As many as pool, reader and pipe cannot hold together; the long names make the pipe full soon.
  std::size_t written = 0;
  for (; written < 5000; ++written) {
    const Run run = fixture.callback(std::string(1000, 'x'), {"-t", "0"});
    if (run.exit_code == exit_pipe_full) break;
    REQUIRE(run.exit_code == exit_delivered);
  }
  CHECK(written < 5000);
  // The last one waits in the directory. Everything arrives once the sink goes on.
  CHECK(fixture.take(written + 1).size() == written + 1);
}

TEST_CASE("a stop with a full pool leaves the rest to the next daemon" * doctest::skip(not_root)) {
  FifoReaderFixture fixture{4};
  fixture.start();
  for (int number = 0; number < 20; ++number) fixture.write(record_of(std::to_string(number)));
  CHECK(within(2s, [&] { return fixture.counts().records == 4; }));
  fixture.stop();
  CHECK(fixture.counts().left_again == 16);
  CHECK(fixture.counts().lost_at_stop == 0);
  const auto first = users(fixture.take(1000));
  CHECK(first.size() == 4);
  fixture.forget();
  fixture.start();
  std::multiset<std::string> seen{first.begin(), first.end()};
  for (const auto &user : users(fixture.take(16))) seen.insert(user);
  CHECK(seen.size() == 20);
}

TEST_CASE("a second reader is refused, and the first goes on" * doctest::skip(not_root)) {
  FifoReaderFixture fixture;
  fixture.start();
  const auto second = FifoReader::create({fixture.fifo});
  REQUIRE_FALSE(second);
  CHECK(second.error().message().find("another daemon") != std::string::npos);
  CHECK(fixture.callback("alice").exit_code == exit_delivered);
  CHECK(fixture.take(1).size() == 1);
}

TEST_CASE("a start that fails later leaves nothing behind") {
  const ScratchDirectory scratch;
  {
    const auto reader = FifoReader::create({scratch / "run/pam.fifo"});
    REQUIRE(reader);
  }
  CHECK(file_count(scratch.path()) == 0);
}

TEST_CASE("an unsafe directory beside the FIFO is an error at the start") {
  const ScratchDirectory scratch;
  REQUIRE(::mkdir((scratch / "pam.fifo.d").c_str(), 0700) == 0);
  REQUIRE(::chmod((scratch / "pam.fifo.d").c_str(), 0777) == 0);
  const auto reader = FifoReader::create({scratch / "pam.fifo"});
  REQUIRE_FALSE(reader);
  CHECK(reader.error().message().find("pam.fifo.d") != std::string::npos);
  CHECK(file_count(scratch.path()) == 1);
}
