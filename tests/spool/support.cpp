#include "spool/support.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <iterator>
#include <stop_token>

#include "spool/segment.h"

namespace iptrackd::test {

TemporaryDirectory::TemporaryDirectory() {
  // In memory where that is possible: the tests make some ten thousand spools.
  const std::filesystem::path memory{"/dev/shm"};
  const auto parent = std::filesystem::is_directory(memory) ? memory : std::filesystem::temp_directory_path();
  std::string name = (parent / "iptrackd-spool-XXXXXX").string();
  REQUIRE(mkdtemp(name.data()) != nullptr);
  path = name;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
}

Event edge_event() {
  Event event = full_event();
  event.comm.assign(std::string_view{"a\0\xff", 3});
  event.exe.assign(std::string(300, 'x'));
  event.cwd.assign("");
  event.args.assign(std::string_view{"curl\0-o\0\0b\0", 11});
  event.args_truncated = false;
  event.remote = {Address::parse("2001:db8::7"), std::uint16_t{0}};
  event.duration_ns = 0;
  return event;
}

Event make_event(std::uint64_t seq, Kind kind, std::size_t size) {
  Event event;
  event.kind = kind;
  event.seq = event.boot_ns = seq;
  event.unix_us = sample_unix_us + static_cast<std::int64_t>(seq);
  event.ring = 1;
  event.ring_position = seq * 100;
  std::string args = std::to_string(seq) + " ";
  if (args.size() < size) args.resize(size, static_cast<char>('a' + seq % 26));
  event.args.assign(args);
  return event;
}

std::vector<Event> make_events(std::uint64_t first_seq, std::size_t count, Kind kind, std::size_t size) {
  std::vector<Event> events;
  for (std::size_t at = 0; at < count; ++at) events.push_back(make_event(first_seq + at, kind, size));
  return events;
}

void append(spool::Spool &spool, const std::vector<Event> &events) {
  std::vector<const Event *> pointers;
  for (const Event &event : events) pointers.push_back(&event);
  spool.append(pointers);
}

spool::Options options_for(const TemporaryDirectory &directory) {
  spool::Options options;
  options.directory = directory.spool();
  options.max_size = 1U << 20;
  options.sync_interval = std::chrono::hours{1};
  options.origin = {"node", "11111111-2222-4333-8444-555555555555"};
  options.ring_generation = 7;
  return options;
}

std::unique_ptr<spool::Spool> open_spool(const spool::Options &options) {
  auto opened = spool::Spool::open(options);
  if (!opened) FAIL(opened.error().message());
  return std::move(*opened);
}

std::unique_ptr<spool::Spool> open_spool(const spool::Options &options, spool::Io &io) {
  auto opened = spool::Spool::open(options, io);
  if (!opened) FAIL(opened.error().message());
  return std::move(*opened);
}

std::uint64_t Contents::lost() const {
  std::uint64_t count = 0;
  for (const Loss &loss : losses) {
    if (loss.stage == "spool") count += loss.count.value_or(0);
  }
  return count;
}

Contents read_from(spool::Spool &spool, Position from) {
  Contents contents;
  contents.end = from;
  const BatchLimits limits{100, 1U << 20, std::chrono::milliseconds{0}};
  Batch batch;
  while (true) {
    const auto read = spool.read(contents.end, limits, batch, std::stop_token{});
    if (!read) FAIL(read.error().message());
    contents.ended = *read == BatchSource::Read::ended;
    if (*read != BatchSource::Read::some) return contents;
    CHECK(batch.from() == contents.end);
    const BatchView view = batch.view();
    for (const Event &event : view.events) {
      contents.seqs.push_back(event.seq);
      const Event made = make_event(event.seq, event.kind, event.args.bytes().size() - 1);
      contents.intact = contents.intact && made.args.bytes() == event.args.bytes() &&
                        made.unix_us == event.unix_us && made.ring_position == event.ring_position;
    }
    contents.losses.insert(contents.losses.end(), view.losses.begin(), view.losses.end());
    contents.host_events.insert(contents.host_events.end(), view.host_events.begin(), view.host_events.end());
    contents.origins.push_back(batch.origin());
    contents.end = batch.to();
  }
}

Contents read_from_first(spool::Spool &spool) {
  return read_from(spool, spool.first());
}

std::vector<std::filesystem::path> segments(const std::filesystem::path &spool) {
  std::vector<std::filesystem::path> found;
  for (const auto &entry : std::filesystem::directory_iterator{spool}) {
    if (spool::first_index_of(entry.path().filename().string())) found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string read_file(const std::filesystem::path &path) {
  std::ifstream file{path, std::ios::binary};
  return {std::istreambuf_iterator<char>{file}, {}};
}

void write_file(const std::filesystem::path &path, const std::string &bytes) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << bytes;
}

void FaultyIo::plan(std::uint64_t first, std::uint64_t count, int code, bool half) {
  calls_ = 0;
  first_ = first;
  count_ = count;
  code_ = code;
  half_ = half;
}

bool FaultyIo::fails() {
  ++calls_;
  if (calls_ < first_ || calls_ - first_ >= count_) return false;
  errno = code_;
  return true;
}

int FaultyIo::open(int directory, const char *name, int flags, mode_t mode) {
  return fails() ? -1 : Io::open(directory, name, flags, mode);
}
int FaultyIo::mkdir(const char *path, mode_t mode) {
  return fails() ? -1 : Io::mkdir(path, mode);
}
int FaultyIo::lstat(const char *path, struct stat &status) {
  return fails() ? -1 : Io::lstat(path, status);
}
int FaultyIo::fstat(int fd, struct stat &status) {
  return fails() ? -1 : Io::fstat(fd, status);
}
int FaultyIo::flock(int fd, int operation) {
  return fails() ? -1 : Io::flock(fd, operation);
}
ssize_t FaultyIo::pread(int fd, void *to, std::size_t size, std::uint64_t offset) {
  return fails() ? -1 : Io::pread(fd, to, size, offset);
}
ssize_t FaultyIo::pwrite(int fd, const void *from, std::size_t size, std::uint64_t offset) {
  if (!fails()) return Io::pwrite(fd, from, size, offset);
  if (!half_ || size < 2) return -1;
  half_ = false;  // the call that goes on with the rest fails
  ++count_;
  return Io::pwrite(fd, from, size / 2, offset);
}
int FaultyIo::ftruncate(int fd, std::uint64_t size) {
  return fails() ? -1 : Io::ftruncate(fd, size);
}
int FaultyIo::fdatasync(int /*fd*/) {
  ++syncs;
  return fails() ? -1 : 0;
}
int FaultyIo::fsync(int /*fd*/) {
  return fails() ? -1 : 0;
}
int FaultyIo::rename(int directory, const char *from, const char *to) {
  return fails() ? -1 : Io::rename(directory, from, to);
}
int FaultyIo::unlink(int directory, const char *name) {
  return fails() ? -1 : Io::unlink(directory, name);
}
int FaultyIo::list(int directory, std::vector<std::string> &names) {
  return fails() ? -1 : Io::list(directory, names);
}

}  // namespace iptrackd::test
