#include "config/files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <system_error>

#include "config/config.h"
#include "config/tree.h"
#include "config/values.h"
#include "core/fd.h"

namespace iptrackd::config {
namespace {

tl::unexpected<Error> fail_file(const std::string &path, const std::string &message) {
  return fail(Fault::usage, Position{path, 1, 1}.to_string() + ": " + message);
}

tl::unexpected<Error> fail_read(const std::string &path, int code) {
  const std::string advice = code == ENOENT   ? "name a file that exists"
                             : code == EACCES ? "run as root, or allow this user to read it"
                                              : "name a readable file";
  return fail_file(path, "cannot be read: " + std::generic_category().message(code) + "; " + advice);
}

// Reads one byte more than allowed at most, so that the caller can tell.
Result<std::string> read_bounded(int fd, const std::string &path) {
  std::string text;
  std::array<char, 16384> buffer;
  while (text.size() <= file_bytes_max) {
    const auto count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail_read(path, errno);
    if (count == 0) break;
    text.append(buffer.data(), static_cast<std::size_t>(count));
  }
  return text;
}

Result<void> list_directory(const std::filesystem::path &directory,
                            std::vector<std::filesystem::path> &found) {
  std::error_code error;
  for (std::filesystem::directory_iterator entry{directory, error}, end; !error && entry != end;
       entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.ends_with(".yml") && !name.starts_with('.')) found.push_back(entry->path());
  }
  if (!error || error == std::errc::no_such_file_or_directory) return {};
  if (error == std::errc::not_a_directory)
    return fail_file(directory, "is not a directory; remove or rename it");
  return fail_read(directory, error.value());
}

}  // namespace

Result<FileContent> read_file(const std::string &path) {
  const Fd fd{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  if (!fd) return fail_read(path, errno);
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return fail_read(path, errno);
  if (S_ISDIR(status.st_mode)) return fail_file(path, "is a directory; name a file");
  if (!S_ISREG(status.st_mode)) return fail_file(path, "is not a regular file; name a file");
  auto text = read_bounded(fd.get(), path);
  if (!text) return tl::unexpected{text.error()};
  if (text->size() > file_bytes_max)
    return fail_file(path, "is larger than " + format_size(file_bytes_max) + "; name a configuration file");
  return FileContent{std::move(*text), status.st_mode};
}

Result<std::vector<std::string>> list_drop_ins(const std::string &file, const std::string &default_file) {
  std::vector<std::filesystem::path> found;
  const std::filesystem::path own = file + ".d";
  const auto second = std::filesystem::path{file}.replace_extension(".d");
  if (file == default_file && second != own) {
    if (const auto listed = list_directory(second, found); !listed) return tl::unexpected{listed.error()};
  }
  if (const auto listed = list_directory(own, found); !listed) return tl::unexpected{listed.error()};
  // Stable: of two with the same name that of FILE.d, which was listed later, stays behind.
  std::stable_sort(found.begin(), found.end(),
                   [](const auto &a, const auto &b) { return a.filename() < b.filename(); });
  return std::vector<std::string>(found.begin(), found.end());
}

}  // namespace iptrackd::config
