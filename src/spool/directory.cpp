#include "spool/directory.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "spool/fields.h"
#include "spool/segment.h"

namespace iptrackd::spool {
namespace {

constexpr std::size_t uuid_size = 36;
constexpr const char *uuid_file = "uuid";
constexpr const char *uuid_temporary = "uuid.tmp";

bool is_uuid(std::string_view text) {
  if (text.size() != uuid_size) return false;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_dash = at == 8 || at == 13 || at == 18 || at == 23;
    const bool is_digit = (text[at] >= '0' && text[at] <= '9') || (text[at] >= 'a' && text[at] <= 'f');
    if (is_dash ? text[at] != '-' : !is_digit) return false;
  }
  return true;
}

std::optional<Identity> parse_identity(std::string_view text) {
  Identity identity;
  identity.uuid = text.substr(0, uuid_size);
  if (!is_uuid(identity.uuid)) return std::nullopt;
  if (text.size() < uuid_size + 2 || text[uuid_size] != '\n' || text.back() != '\n') return std::nullopt;
  const char *begin = text.data() + uuid_size + 1;
  const char *end = text.data() + text.size() - 1;
  const auto [stopped, error] = std::from_chars(begin, end, identity.salt, 16);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return identity;
}

std::string text_of(const Identity &identity) {
  std::array<char, 16> hex{};
  const auto [end, error] = std::to_chars(hex.data(), hex.data() + hex.size(), identity.salt, 16);
  return identity.uuid + "\n" + std::string(hex.data(), end) + "\n";
}

Result<std::string> read_file(Io &io, int directory, const char *name, const std::string &path) {
  const Fd fd{io.open(directory, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0)};
  if (!fd) return fail_errno("cannot open " + path);
  std::string text(128, '\0');
  const auto got = read_all(io, fd.get(), text.data(), text.size(), 0);
  if (got.code != 0) return fail_errno("cannot read " + path, got.code);
  text.resize(got.bytes);
  return text;
}

}  // namespace

Result<std::string> new_uuid(Io &io) {
  const std::string path = "/proc/sys/kernel/random/uuid";
  auto text = read_file(io, AT_FDCWD, path.c_str(), path);
  if (!text) return text;
  text->resize(std::min(text->size(), uuid_size));
  if (!is_uuid(*text)) return fail(Fault::environment, path + " holds no UUID");
  return text;
}

Result<std::uint64_t> new_salt(Io &io) {
  const std::string path = "/dev/urandom";
  const auto bytes = read_file(io, AT_FDCWD, path.c_str(), path);
  if (!bytes) return tl::unexpected{bytes.error()};
  if (bytes->size() < sizeof(std::uint64_t)) return fail(Fault::environment, path + " gives nothing");
  return load_number<std::uint64_t>(bytes->data());
}

Result<Directory> Directory::open(Io &io, const std::string &path) {
  if (!path.starts_with('/'))
    return fail(Fault::usage, "the spool's directory must be absolute, not " + path);
  Directory directory{io, path};
  while (directory.path_.size() > 1 && directory.path_.back() == '/') directory.path_.pop_back();
  if (auto created = directory.create(); !created) return tl::unexpected{created.error()};
  // Looked at before it is opened for the clearer message, and again on the descriptor, as the name may have
  // changed hands.
  struct stat status {};
  if (io.lstat(directory.path_.c_str(), status) != 0) return fail_errno("cannot examine " + directory.path_);
  if (auto good = directory.check(status); !good) return tl::unexpected{good.error()};
  directory.fd_ =
      Fd{io.open(AT_FDCWD, directory.path_.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC, 0)};
  if (!directory.fd_) return fail_errno("cannot open " + directory.path_);
  if (io.fstat(directory.fd(), status) != 0) return fail_errno("cannot examine " + directory.path_);
  if (auto good = directory.check(status); !good) return tl::unexpected{good.error()};
  if (auto locked = directory.lock(); !locked) return tl::unexpected{locked.error()};
  return directory;
}

Result<void> Directory::create() const {
  for (std::size_t slash = path_.find('/', 1);; slash = path_.find('/', slash + 1)) {
    const std::string part = path_.substr(0, slash);
    const bool is_last = slash == std::string::npos;
    if (io_->mkdir(part.c_str(), is_last ? 0700 : 0755) != 0 && errno != EEXIST) {
      const int code = errno;
      struct stat status {};
      // A read-only file system, and one where we may not create, say so for what exists as well.
      if (io_->lstat(part.c_str(), status) != 0) return fail_errno("cannot create " + part, code);
    }
    if (is_last) return {};
  }
}

Result<void> Directory::check(const struct stat &status) const {
  if (S_ISLNK(status.st_mode))
    return fail(Fault::environment, path_ + " is a symbolic link; name the spool's directory itself");
  if (!S_ISDIR(status.st_mode)) return fail(Fault::environment, path_ + " is not a directory");
  if (status.st_uid != geteuid())
    return fail(Fault::environment, path_ + " belongs to another user, who could change what is spooled");
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0)
    return fail(Fault::environment,
                path_ + " is writable by others, who could change what is spooled; chmod 0700");
  return {};
}

Result<void> Directory::lock() {
  lock_ = Fd{io_->open(fd(), "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!lock_) return fail_errno("cannot open " + path_of("lock"));
  if (io_->flock(lock_.get(), LOCK_EX | LOCK_NB) == 0) return {};
  if (errno == EWOULDBLOCK)
    return fail(Fault::environment, "another daemon uses the spool " + path_ + " already");
  return fail_errno("cannot lock " + path_of("lock"));
}

Result<std::optional<Identity>> Directory::identity() const {
  auto text = read_file(*io_, fd(), uuid_file, path_of(uuid_file));
  if (text) return parse_identity(*text);
  struct stat status {};
  if (io_->lstat(path_of(uuid_file).c_str(), status) != 0 && errno == ENOENT)
    return std::optional<Identity>{};
  return tl::unexpected{text.error()};
}

Result<void> Directory::set_identity(const Identity &identity) const {
  const std::string what = "cannot write " + path_of(uuid_file);
  {
    const Fd file{
        io_->open(fd(), uuid_temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (!file) return fail_errno(what);
    const auto written = write_all(*io_, file.get(), text_of(identity), 0);
    if (written.code != 0) return fail_errno(what, written.code);
    if (io_->fsync(file.get()) != 0) return fail_errno(what);
  }
  if (io_->rename(fd(), uuid_temporary, uuid_file) != 0) return fail_errno(what);
  if (io_->fsync(fd()) != 0) return fail_errno(what);
  return {};
}

Result<std::vector<std::uint64_t>> Directory::segments() const {
  std::vector<std::string> names;
  if (io_->list(fd(), names) != 0) return fail_errno("cannot list " + path_);
  std::vector<std::uint64_t> indexes;
  for (const std::string &name : names) {
    if (const auto index = first_index_of(name)) indexes.push_back(*index);
  }
  std::sort(indexes.begin(), indexes.end());
  return indexes;
}

}  // namespace iptrackd::spool
