#include "sink/position_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <numeric>
#include <sstream>
#include <string_view>

#include "core/fd.h"

namespace iptrackd::sink {
namespace {

constexpr std::size_t longest_record = 512;

std::uint32_t check_of(std::string_view text) {
  return std::accumulate(text.begin(), text.end(), std::uint32_t{17},
                         [](std::uint32_t sum, char c) { return sum * 31 + static_cast<std::uint8_t>(c); });
}

std::optional<PositionFile::Record> parse(const std::string &text) {
  const auto last_blank = text.rfind(' ');
  if (text.empty() || text.back() != '\n' || last_blank == std::string::npos) return std::nullopt;
  if (text.substr(last_blank + 1) != std::to_string(check_of(text.substr(0, last_blank))) + "\n") {
    return std::nullopt;
  }
  std::istringstream in{text};
  PositionFile::Record record;
  std::string word;
  int version = 0;
  in >> word >> version >> record.spool >> record.position.index >> record.position.token >> record.size >>
      record.device >> record.inode;
  if (!in || word != "iptrackd-position" || version != 1) return std::nullopt;
  return record;
}

Result<void> write_whole(const std::string &path, const std::string &text) {
  const Fd file{::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600)};
  if (!file) return fail_errno("cannot open " + path);
  const ssize_t count = ::write(file.get(), text.data(), text.size());
  if (count != static_cast<ssize_t>(text.size())) {
    return fail_errno("cannot write " + path, count < 0 ? errno : ENOSPC);
  }
  if (fsync(file.get()) != 0) return fail_errno("cannot write " + path);
  return {};
}

Result<void> sync_directory_of(const std::string &path) {
  const std::string parent = std::filesystem::path{path}.parent_path().string();
  const std::string name = parent.empty() ? "." : parent;
  const Fd directory{::open(name.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (!directory || fsync(directory.get()) != 0) return fail_errno("cannot sync " + name);
  return {};
}

}  // namespace

Result<std::optional<PositionFile::Record>> PositionFile::read() const {
  const Fd file{::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
  if (!file) {
    if (errno == ENOENT) return std::nullopt;
    return fail_errno("cannot open " + path_);
  }
  struct stat status {};
  if (fstat(file.get(), &status) != 0) return fail_errno("cannot examine " + path_);
  if (!S_ISREG(status.st_mode) || status.st_uid != geteuid()) {
    return fail(Fault::environment, path_ + " is not a regular file of this user's");
  }
  std::array<char, longest_record> text{};
  const ssize_t count = ::read(file.get(), text.data(), text.size());
  if (count < 0) return fail_errno("cannot read " + path_);
  auto record = parse(std::string(text.data(), static_cast<std::size_t>(count)));
  if (!record) {
    return fail(Fault::environment,
                path_ + " is damaged; without it, all that the spool holds would be written again");
  }
  return record;
}

Result<void> PositionFile::write(const Record &record) const {
  std::ostringstream line;
  line << "iptrackd-position 1 " << record.spool << ' ' << record.position.index << ' '
       << record.position.token << ' ' << record.size << ' ' << record.device << ' ' << record.inode;
  const std::string text = line.str();
  const std::string fresh = path_ + ".new";
  if (auto written = write_whole(fresh, text + ' ' + std::to_string(check_of(text)) + '\n'); !written) {
    return written;
  }
  if (rename(fresh.c_str(), path_.c_str()) != 0) return fail_errno("cannot replace " + path_);
  return sync_directory_of(path_);
}

}  // namespace iptrackd::sink
