#include "sink/jsonl_sink.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "sink/json_row.h"

namespace iptrackd::sink {
namespace {

constexpr int stop_check_ms = 25;

// Whether the file's last line was cut off, by a crash or a full disk.
bool ends_within_line(int fd) {
  struct stat status {};
  char last = '\n';
  if (fstat(fd, &status) != 0 || status.st_size == 0) return false;
  return pread(fd, &last, 1, status.st_size - 1) == 1 && last != '\n';
}

}  // namespace

JsonlSink::JsonlSink(std::string filename)
    : filename_{std::move(filename)}, position_file_{filename_ + ".position"} {}

Result<std::optional<Position>> JsonlSink::open(const std::string &spool_id, const Origin &,
                                                std::stop_token) {
  if (is_stdout()) return std::nullopt;
  if (filename_.empty())
    return fail(Fault::usage, "the driver jsonl needs a filename; \"-\" is standard output");
  if (!file_) {
    if (auto opened = open_file(); !opened) return tl::unexpected{opened.error()};
  }
  if (!located_) {
    if (auto found = locate(); !found) return tl::unexpected{found.error()};
  }
  if (stored_.spool != spool_id) {  // another spool's lines, or nobody's
    stored_.spool = spool_id;
    stored_.position = {};
  }
  return stored_.position;
}

Result<void> JsonlSink::open_file() {
  // O_NONBLOCK: opening a FIFO that nobody reads must fail instead of waiting.
  Fd file{::open(filename_.c_str(),
                 O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600)};
  if (!file) {
    if (errno == ELOOP)
      return fail(Fault::environment, filename_ + " is a symbolic link; name the file itself");
    return fail_errno("cannot open " + filename_);
  }
  if (auto good = check_file(file.get()); !good) return good;
  file_ = std::move(file);
  return {};
}

Result<void> JsonlSink::locate() {
  auto recorded = position_file_.read();
  if (!recorded) return tl::unexpected{recorded.error()};
  struct stat status {};
  if (fstat(file_.get(), &status) != 0) return fail_errno("cannot examine " + filename_);
  stored_ = recorded->value_or(PositionFile::Record{});
  const auto size = static_cast<std::uint64_t>(status.st_size);
  const bool same_file = *recorded && stored_.device == status.st_dev && stored_.inode == status.st_ino;
  if (same_file && size > stored_.size && ftruncate(file_.get(), static_cast<off_t>(stored_.size)) != 0) {
    return fail_errno("cannot cut the unfinished lines off " + filename_);
  }
  broken_line_ = ends_within_line(file_.get());
  located_ = true;
  return {};
}

Result<void> JsonlSink::check_file(int fd) const {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail_errno("cannot examine " + filename_);
  if (!S_ISREG(status.st_mode)) return fail(Fault::environment, filename_ + " is not a regular file");
  if (status.st_uid != geteuid()) {
    return fail(Fault::environment, filename_ + " belongs to another user, who could change it");
  }
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK)
      return fail(Fault::environment, filename_ + " is being written by another process");
    return fail_errno("cannot lock " + filename_);
  }
  return {};
}

Result<void> JsonlSink::write(const std::string &spool_id, const BatchView &view, std::stop_token stop) {
  std::string lines;
  if (broken_line_ && !view.empty()) lines += '\n';
  append_json(lines, view);
  if (is_stdout()) {
    auto written = write_all(lines, stop);
    if (written && !lines.empty()) broken_line_ = false;
    return written;
  }
  if (!located_) return fail(Fault::connection, "the file is not open");
  if (stored_.spool != spool_id || stored_.position != view.from) {
    return fail(Fault::moved, filename_ + " does not reach to where these lines begin");
  }
  if (view.empty() && view.from == view.to) return {};
  auto stored = store(spool_id, view, lines, stop);
  if (stored) {
    broken_line_ = false;
  } else {
    located_ = false;
    // At once, if it is possible: who reads the file should not see lines that come again.
    if (auto cut = locate(); !cut) located_ = false;
  }
  return stored;
}

Result<void> JsonlSink::store(const std::string &spool_id, const BatchView &view, const std::string &lines,
                              const std::stop_token &stop) {
  struct stat before {};
  if (fstat(file_.get(), &before) != 0) return fail_errno("cannot examine " + filename_);
  // Lines that come after an unfinished view are told from it by the file's size, also the very first ones.
  PositionFile::Record record{spool_id, view.from, static_cast<std::uint64_t>(before.st_size), before.st_dev,
                              before.st_ino};
  const bool same_place =
      record.size == stored_.size && record.device == stored_.device && record.inode == stored_.inode;
  if (!same_place) {
    if (auto noted = position_file_.write(record); !noted) return noted;
  }
  if (auto written = write_all(lines, stop); !written) return written;
  if (fdatasync(file_.get()) != 0) return fail_errno("cannot write " + filename_);
  record.position = view.to;
  record.size += lines.size();
  if (auto noted = position_file_.write(record); !noted) return noted;
  stored_ = record;
  return {};
}

Result<void> JsonlSink::write_all(std::string_view lines, const std::stop_token &stop) {
  const int fd = is_stdout() ? STDOUT_FILENO : file_.get();
  while (!lines.empty()) {
    pollfd ready{fd, POLLOUT, 0};
    if (stop.stop_requested()) return fail(Fault::cancelled, "told to stop");
    if (poll(&ready, 1, stop_check_ms) == 0) continue;  // a pipe whose reader is slow
    // At most PIPE_BUF at once: after poll() said yes, a blocking pipe takes that much without waiting.
    const ssize_t count =
        ::write(fd, lines.data(), is_stdout() ? std::min<std::size_t>(lines.size(), 4096) : lines.size());
    if (count < 0 && errno != EINTR && errno != EAGAIN) {
      return fail_errno(is_stdout() ? "cannot write to standard output" : "cannot write " + filename_);
    }
    if (count <= 0) continue;
    if (is_stdout()) broken_line_ = lines[static_cast<std::size_t>(count) - 1] != '\n';
    lines.remove_prefix(static_cast<std::size_t>(count));
  }
  return {};
}

}  // namespace iptrackd::sink
