#include "pam/fifo.h"

#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/wait.h>

#include <fstream>

#include "pam/support.h"

using namespace iptrackd;
using namespace iptrackd::pam;
using namespace iptrackd::pam::testing;

namespace {

constexpr std::size_t pipe_bytes = 1U << 20;

struct stat status_of(const std::string &path) {
  struct stat status {};
  REQUIRE(::lstat(path.c_str(), &status) == 0);
  return status;
}

std::string refusal(const std::string &path) {
  const auto fifo = Fifo::open(path, pipe_bytes);
  REQUIRE_FALSE(fifo);
  CHECK(fifo.error().fault() == Fault::environment);
  CHECK(fifo.error().message().find(path) != std::string::npos);
  CHECK(fifo.error().message().find('\n') == std::string::npos);
  return fifo.error().message();
}

bool contains(const std::string &text, const std::string &part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a FIFO is created with its directory, and both go with it") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "run/pam.fifo";
  {
    const mode_t mask = ::umask(0);
    const auto fifo = Fifo::open(path, pipe_bytes);
    ::umask(mask);
    REQUIRE(fifo);
    CHECK(S_ISFIFO(status_of(path).st_mode));
    CHECK((status_of(path).st_mode & 07777) == 0600);
    CHECK((status_of(scratch / "run").st_mode & 07777) == 0700);
    if (!not_root) CHECK(::fcntl(fifo->fd(), F_GETPIPE_SZ) == pipe_bytes);
  }
  CHECK(file_count(scratch.path()) == 0);
}

TEST_CASE("a strict umask does not lock us out") {
  const ScratchDirectory scratch;
  const mode_t mask = ::umask(0777);
  const auto fifo = Fifo::open(scratch / "pam.fifo", pipe_bytes);
  ::umask(mask);
  if (fifo) CHECK((status_of(scratch / "pam.fifo").st_mode & 07777) == 0600);
  CHECK((fifo || not_root));
}

TEST_CASE("a FIFO that was there is taken over, and stays") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  REQUIRE(::mkfifo(path.c_str(), 0644) == 0);
  const auto inode = status_of(path).st_ino;
  {
    const auto fifo = Fifo::open(path, pipe_bytes);
    REQUIRE(fifo);
    CHECK((status_of(path).st_mode & 07777) == 0600);
  }
  CHECK(status_of(path).st_ino == inode);
}

TEST_CASE("what is no FIFO is left alone") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  SUBCASE("a regular file") {
    std::ofstream{path} << "precious";
    CHECK(contains(refusal(path), "not a FIFO"));
    CHECK(std::filesystem::file_size(path) == 8);
  }
  SUBCASE("a directory") {
    REQUIRE(::mkdir(path.c_str(), 0755) == 0);
    CHECK(contains(refusal(path), "not a FIFO"));
    CHECK((status_of(path).st_mode & 07777) == 0755);
  }
  SUBCASE("a link to a FIFO") {
    REQUIRE(::mkfifo((scratch / "other").c_str(), 0600) == 0);
    REQUIRE(::symlink("other", path.c_str()) == 0);
    CHECK(contains(refusal(path), "symbolic link"));
    CHECK(S_ISLNK(status_of(path).st_mode));
  }
  SUBCASE("a dangling link") {
    REQUIRE(::symlink("nowhere", path.c_str()) == 0);
    CHECK(contains(refusal(path), "symbolic link"));
    CHECK(file_count(scratch.path()) == 1);
  }
}

TEST_CASE("a FIFO that others may have open is refused") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  REQUIRE(::chmod(path.c_str(), 0622) == 0);
  CHECK(contains(refusal(path), "mode 0622"));
  CHECK((status_of(path).st_mode & 07777) == 0622);
}

TEST_CASE("somebody else's FIFO is refused" * doctest::skip(not_root)) {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  REQUIRE(::chown(path.c_str(), 1, 1) == 0);
  CHECK(contains(refusal(path), "uid 1"));
}

TEST_CASE("a directory that cannot be made is an error, and nothing is left") {
  const ScratchDirectory scratch;
  CHECK(contains(refusal(scratch / "a/b/pam.fifo"), "cannot create"));
  CHECK(file_count(scratch.path()) == 0);
}

TEST_CASE("the second one is refused, told the PID of the first, and harms nothing") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  const auto first = Fifo::open(path, pipe_bytes);
  REQUIRE(first);
  const auto inode = status_of(path).st_ino;
  CHECK(contains(refusal(path), "another daemon (PID " + std::to_string(getpid()) + ")"));
  CHECK(status_of(path).st_ino == inode);
  // A callback still reaches the first.
  const Fd writer{::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
  REQUIRE(::write(writer.get(), "x", 1) == 1);
  char byte = 0;
  CHECK(::read(first->fd(), &byte, 1) == 1);
}

TEST_CASE("remove takes away only its own name") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  auto fifo = Fifo::open(path, pipe_bytes);
  REQUIRE(fifo);
  REQUIRE(::unlink(path.c_str()) == 0);
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  fifo->remove();
  CHECK(file_count(scratch.path()) == 1);
}

TEST_CASE("it never comes to its end") {
  const ScratchDirectory scratch;
  const auto fifo = Fifo::open(scratch / "pam.fifo", pipe_bytes);
  REQUIRE(fifo);
  Fd{::open((scratch / "pam.fifo").c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)}.reset();
  char byte = 0;
  CHECK(::read(fifo->fd(), &byte, 1) == -1);
  CHECK(errno == EAGAIN);
}

namespace {

// What systemd makes of ListenFIFO=.
Fd held_fifo(const std::string &path) {
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  return Fd{::open(path.c_str(), O_RDWR | O_NONBLOCK | O_CLOEXEC)};
}

Fd second_descriptor(const Fd &fd) {
  return Fd{::dup(fd.get())};
}

}  // namespace

TEST_CASE("an inherited FIFO outlives its reader, with what nobody has read") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  const Fd held = held_fifo(path);
  for (int reader = 0; reader < 2; ++reader) {
    auto fifo = Fifo::adopt(path, second_descriptor(held), pipe_bytes);
    REQUIRE(fifo);
    if (reader == 1) {
      std::array<char, 8> left{};
      CHECK(::read(fifo->fd(), left.data(), left.size()) == 4);
    }
    fifo->remove();
    CHECK(S_ISFIFO(status_of(path).st_mode));
    const Fd writer{::open(path.c_str(), O_WRONLY | O_NONBLOCK | O_CLOEXEC)};
    if (reader == 0) CHECK(::write(writer.get(), "left", 4) == 4);
  }
  CHECK(S_ISFIFO(status_of(path).st_mode));
}

TEST_CASE("an inherited FIFO that is not the one at the path is refused") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  const Fd held = held_fifo(path);
  REQUIRE(::unlink(path.c_str()) == 0);
  CHECK_FALSE(Fifo::adopt(path, second_descriptor(held), pipe_bytes));
  const Fd other = held_fifo(path);
  CHECK_FALSE(Fifo::adopt(path, second_descriptor(held), pipe_bytes));
  CHECK(Fifo::adopt(path, second_descriptor(other), pipe_bytes));
  REQUIRE(::chmod(path.c_str(), 0622) == 0);
  CHECK_FALSE(Fifo::adopt(path, second_descriptor(other), pipe_bytes));
}

TEST_CASE("an inherited FIFO has one reader") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  const Fd held = held_fifo(path);
  const auto fifo = Fifo::adopt(path, second_descriptor(held), pipe_bytes);
  REQUIRE(fifo);
  CHECK(contains(refusal(path), "another daemon"));
}

TEST_CASE("of a reader that was killed, nobody is told that it reads") {
  const ScratchDirectory scratch;
  const std::string path = scratch / "pam.fifo";
  const Fd held = held_fifo(path);
  const pid_t reader = fork();
  if (reader == 0) _exit(::flock(held.get(), LOCK_EX | LOCK_NB));
  int status = -1;
  REQUIRE(::waitpid(reader, &status, 0) == reader);
  REQUIRE(status == 0);
  CHECK(contains(refusal(path), "(PID " + std::to_string(reader) + ") was killed"));
  CHECK(Fifo::adopt(path, second_descriptor(held), pipe_bytes));
}
