#include "sink/rejects.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <string_view>

#include "core/clock.h"
#include "core/fd.h"
#include "sink/escape.h"
#include "sink/json_row.h"

namespace iptrackd::sink {
namespace {

std::string line_of(std::string_view entry, const Error &reason) {
  const auto text = [](const std::string &value) { return nlohmann::json(escaped(value)).dump(); };
  return "{\"time\":" + text(json_time(unix_time_us())) + ",\"reason\":" + text(reason.message()) +
         ",\"entry\":" + std::string{entry} + "}\n";
}

std::string lines_of(const BatchView &view, const Error &reason) {
  std::string entries;
  append_json(entries, view);
  std::string out;
  for (std::string_view rest = entries; !rest.empty();) {
    const auto end = rest.find('\n');
    out += line_of(rest.substr(0, end), reason);
    rest.remove_prefix(end + 1);
  }
  return out;
}

Result<std::uint64_t> check(int fd, const std::string &path) {
  struct stat status {};
  if (fstat(fd, &status) != 0) return fail_errno("cannot examine " + path);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return fail(Fault::environment, path + " is not a regular file of this user's");
  }
  return static_cast<std::uint64_t>(status.st_size);
}

}  // namespace

Result<void> Rejects::append(const BatchView &view, const Error &reason) const {
  const std::string lines = lines_of(view, reason);
  for (bool fresh = false;; fresh = true) {
    const Fd file{::open(
        path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600)};
    if (!file) return fail_errno("cannot open " + path_);
    const auto size = check(file.get(), path_);
    if (!size) return tl::unexpected{size.error()};
    if (!fresh && *size > 0 && *size + lines.size() > limit_) {
      if (rename(path_.c_str(), (path_ + ".1").c_str()) != 0) return fail_errno("cannot rename " + path_);
      continue;
    }
    const ssize_t count = ::write(file.get(), lines.data(), lines.size());
    if (count == static_cast<ssize_t>(lines.size()) && fsync(file.get()) == 0) return {};
    const auto failed = fail_errno("cannot write " + path_, count >= 0 && errno == 0 ? ENOSPC : errno);
    // Half a line would spoil the next one.
    if (ftruncate(file.get(), static_cast<off_t>(*size)) != 0) return failed;
    return failed;
  }
}

}  // namespace iptrackd::sink
