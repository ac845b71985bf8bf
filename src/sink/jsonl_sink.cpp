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

JsonlSink::JsonlSink(std::string filename, Origin origin)
    : filename_{std::move(filename)}, origin_{std::move(origin)} {}

Result<void> JsonlSink::open(std::stop_token) {
  if (open_) return {};
  if (is_stdout()) {
    open_ = true;
    return {};
  }
  if (filename_.empty())
    return fail(Fault::usage, "the driver jsonl needs a filename; \"-\" is standard output");
  // O_NONBLOCK: opening a FIFO that nobody reads must fail instead of waiting.
  Fd file{::open(filename_.c_str(),
                 O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600)};
  if (!file) {
    if (errno == ELOOP)
      return fail(Fault::environment, filename_ + " is a symbolic link; name the file itself");
    return fail_errno("cannot open " + filename_);
  }
  if (auto good = check_file(file.get()); !good) return good;
  broken_line_ = ends_within_line(file.get());
  file_ = std::move(file);
  open_ = true;
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

Result<void> JsonlSink::write(const Batch &batch, std::stop_token stop) {
  if (!open_) return fail(Fault::connection, "the file is not open");
  if (batch.empty()) return {};
  std::string lines;
  if (broken_line_) lines += '\n';
  for (const Event *event : batch.events) append_json(lines, *event, origin_);
  for (const Loss &loss : batch.losses) append_json(lines, loss, origin_);
  auto stored = store(lines, stop);
  if (stored) broken_line_ = false;
  return stored;
}

Result<void> JsonlSink::store(std::string_view lines, const std::stop_token &stop) {
  if (is_stdout()) return write_all(lines, stop);
  struct stat before {};
  if (fstat(file_.get(), &before) != 0) return fail_errno("cannot examine " + filename_);
  auto written = write_all(lines, stop);
  if (written && fdatasync(file_.get()) != 0) written = fail_errno("cannot write " + filename_);
  // The lock keeps others from appending, so that everything beyond is ours.
  if (!written && ftruncate(file_.get(), before.st_size) != 0) broken_line_ = true;
  return written;
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
