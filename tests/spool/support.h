// A spool in a temporary directory, events for it, and system calls that fail when they are told to.
#ifndef IPTRACKD_TESTS_SPOOL_SUPPORT_H
#define IPTRACKD_TESTS_SPOOL_SUPPORT_H

#include <atomic>
#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "core/batch.h"
#include "core/sample_event.h"
#include "spool/io.h"
#include "spool/spool.h"

namespace iptrackd::test {

// Removed with all that is in it.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory &) = delete;
  TemporaryDirectory &operator=(const TemporaryDirectory &) = delete;
  [[nodiscard]] std::filesystem::path spool() const { return path / "spool"; }

  std::filesystem::path path;
};

// Every member known, with values at the edges: empty, zero, NUL within, longer than a short field.
[[nodiscard]] Event edge_event();
// SIZE bytes of arguments that depend on SEQ.
[[nodiscard]] Event make_event(std::uint64_t seq, Kind kind = Kind::exec, std::size_t size = 20);
[[nodiscard]] std::vector<Event> make_events(std::uint64_t first_seq, std::size_t count,
                                             Kind kind = Kind::exec, std::size_t size = 20);
void append(spool::Spool &spool, const std::vector<Event> &events);

[[nodiscard]] spool::Options options_for(const TemporaryDirectory &directory);
[[nodiscard]] std::unique_ptr<spool::Spool> open_spool(const spool::Options &options);
[[nodiscard]] std::unique_ptr<spool::Spool> open_spool(const spool::Options &options, spool::Io &io);

// All that a spool gives from FROM on, without waiting.
struct Contents {
  std::vector<std::uint64_t> seqs;  // of the events
  std::vector<Loss> losses;
  std::vector<HostEvent> host_events;
  std::vector<Origin> origins;  // of the batches
  Position end;
  bool intact = true;  // every event is as make_event() made it
  bool ended = false;

  // Of all losses of stage "spool".
  [[nodiscard]] std::uint64_t lost() const;
};
[[nodiscard]] Contents read_from(spool::Spool &spool, Position from);
[[nodiscard]] Contents read_from_first(spool::Spool &spool);

[[nodiscard]] std::vector<std::filesystem::path> segments(const std::filesystem::path &spool);
[[nodiscard]] std::string read_file(const std::filesystem::path &path);
void write_file(const std::filesystem::path &path, const std::string &bytes);

// Fails on order, and does not sync, which would only cost time.
class FaultyIo final : public spool::Io {
 public:
  // From call number FIRST on COUNT calls fail with CODE; HALF: a pwrite writes half before that.
  void plan(std::uint64_t first, std::uint64_t count, int code, bool half);
  void heal() { plan(0, 0, 0, false); }
  [[nodiscard]] std::uint64_t calls() const { return calls_; }
  // Segments whose synced bytes a crash of the machine would leave: counted, not done.
  std::atomic<unsigned> syncs{0};

  int open(int directory, const char *name, int flags, mode_t mode) override;
  int mkdir(const char *path, mode_t mode) override;
  int lstat(const char *path, struct stat &status) override;
  int fstat(int fd, struct stat &status) override;
  int flock(int fd, int operation) override;
  ssize_t pread(int fd, void *to, std::size_t size, std::uint64_t offset) override;
  ssize_t pwrite(int fd, const void *from, std::size_t size, std::uint64_t offset) override;
  int ftruncate(int fd, std::uint64_t size) override;
  int fdatasync(int fd) override;
  int fsync(int fd) override;
  int rename(int directory, const char *from, const char *to) override;
  int unlink(int directory, const char *name) override;
  int list(int directory, std::vector<std::string> &names) override;

 private:
  bool fails();

  std::uint64_t calls_ = 0;
  std::uint64_t first_ = 0;
  std::uint64_t count_ = 0;
  int code_ = 0;
  bool half_ = false;
};

}  // namespace iptrackd::test

#endif
