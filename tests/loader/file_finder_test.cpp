#include "loader/file_finder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace fs = std::filesystem;
using iptrackd::Fd;
using iptrackd::loader::FileFinder;

namespace {

using Identity = std::pair<dev_t, ino_t>;

// bin/tool, and links to it; all of it goes away with the test.
class Tree {
 public:
  Tree() {
    std::string name = (fs::canonical(fs::temp_directory_path()) / "iptrackd-finder-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    path_ = name;
    fs::create_directories(path_ / "bin/locked");
    std::ofstream{path_ / "bin/tool"} << "x";
    std::ofstream{path_ / "bin/locked/tool"} << "x";
    fs::create_symlink("tool", path_ / "bin/relative");
    fs::create_symlink(path_ / "bin/relative", path_ / "bin/absolute");
    fs::create_symlink("bin", path_ / "directory");
    fs::create_symlink("directory/../bin/./absolute", path_ / "winding");
    fs::create_symlink("nowhere", path_ / "dangling");
    fs::create_symlink("circle", path_ / "circle");
    fs::create_symlink("../../../../../../../../.." + path_.string() + "/bin/tool", path_ / "above");
  }
  ~Tree() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  Tree(const Tree &) = delete;
  Tree &operator=(const Tree &) = delete;
  [[nodiscard]] std::string operator/(const std::string &name) const { return path_.string() + "/" + name; }

 private:
  fs::path path_;
};

FileFinder finder() {
  auto made = FileFinder::make();
  REQUIRE(made);
  return std::move(*made);
}

std::optional<Identity> identity_of(int fd) {
  struct stat status {};
  if (fd < 0 || fstat(fd, &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return Identity{status.st_dev, status.st_ino};
}

// As the finder has it; the test fails where that cannot be known.
std::optional<Identity> found(const std::string &path) {
  const auto file = finder().open(path);
  REQUIRE(file);
  return identity_of(file->get());
}

// As the kernel has it.
std::optional<Identity> expected(const std::string &path) {
  const Fd file{open(path.c_str(), O_PATH | O_CLOEXEC)};
  return identity_of(file.get());
}

// This thread is nobody to file systems, as root is to a network file system that squashes it.
class AsNobody {
 public:
  AsNobody() { setfsuid(65534); }
  ~AsNobody() { setfsuid(0); }
  AsNobody(const AsNobody &) = delete;
  AsNobody &operator=(const AsNobody &) = delete;
};

}  // namespace

TEST_CASE("file finder: it finds what the kernel finds") {
  const Tree tree;
  for (const char *name : {"bin/tool", "bin/relative", "bin/absolute", "directory/tool", "winding", "above",
                           "bin//tool", "./bin/../bin/tool"}) {
    CAPTURE(name);
    REQUIRE(expected(tree / name));
    CHECK(found(tree / name) == expected(tree / name));
  }
  for (const char *program : {"/bin/sh", "/usr/bin/env", "/../../bin/sh"}) {
    CAPTURE(program);
    REQUIRE(expected(program));
    CHECK(found(program) == expected(program));
  }
}

TEST_CASE("file finder: where there is no regular file it finds none") {
  const Tree tree;
  for (const char *name : {"bin", "directory", "dangling", "circle", "none", "none/tool", "bin/tool/",
                           "bin/tool/.", "bin/tool/more", "bin/absolute/", ""}) {
    CAPTURE(name);
    CHECK_FALSE(expected(tree / name));
    CHECK_FALSE(found(tree / name));
  }
  CHECK_FALSE(found("/"));
  CHECK_FALSE(found("/dev/null"));
  CHECK_FALSE(found(tree / std::string(5000, 'n')));
}

TEST_CASE("file finder: what cannot be known is an error, and not an absence") {
  const Tree tree;
  REQUIRE(geteuid() == 0);
  fs::permissions(tree / "bin/locked", fs::perms::owner_all);
  CHECK(found(tree / "bin/locked/tool"));
  const FileFinder made = finder();
  const AsNobody nobody;
  const auto file = made.open(tree / "bin/locked/tool");
  REQUIRE_FALSE(file);
  CHECK(file.error().message().find("Permission denied") != std::string::npos);
}
