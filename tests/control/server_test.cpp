#include "control/server.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "control/socket.h"

using namespace iptrackd;
using namespace iptrackd::control;
using namespace std::chrono_literals;

namespace {

class Place {
 public:
  Place() {
    std::string name = "/tmp/iptrackd-control-XXXXXX";
    REQUIRE(mkdtemp(name.data()) != nullptr);
    directory_ = name;
  }
  ~Place() { std::filesystem::remove_all(directory_); }
  Place(const Place &) = delete;
  Place &operator=(const Place &) = delete;
  [[nodiscard]] std::string socket() const { return directory_ + "/run/control.sock"; }

 private:
  std::string directory_;
};

Result<std::string> echo(std::string_view request, const Peer &peer) {
  if (request == "unknown") return fail(Fault::usage, "there is no such request");
  if (request == "broken") return fail(Fault::environment, "it broke");
  if (request == "who") return std::to_string(peer.uid) + " " + std::to_string(peer.pid == getpid() ? 1 : 0);
  return "you said " + std::string{request};
}

struct Running {
  explicit Running(const Place &place) {
    auto opened = Server::open(place.socket(), echo);
    REQUIRE(opened);
    server = std::move(*opened);
    thread = std::jthread{[this](const std::stop_token &stop) { server->run(stop); }};
  }
  std::unique_ptr<Server> server;
  std::jthread thread;
};

}  // namespace

TEST_CASE("a line is answered, and what is not known is refused") {
  const Place place;
  const Running running{place};
  CHECK(ask(place.socket(), "hello").value() == "you said hello");
  CHECK(ask(place.socket(), std::string(longest_request, 'x')).has_value());
  CHECK(ask(place.socket(), "who").value() == std::to_string(geteuid()) + " 1");
  const auto refused = ask(place.socket(), "unknown");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().fault() == Fault::usage);
  CHECK(refused.error().message() == "there is no such request");
  const auto broken = ask(place.socket(), "broken");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().fault() == Fault::environment);
}

TEST_CASE("the socket is its owner's alone, and goes with the server") {
  const Place place;
  {
    const Running running{place};
    struct stat status {};
    REQUIRE(stat(place.socket().c_str(), &status) == 0);
    CHECK((status.st_mode & 07777) == 0600);
  }
  CHECK_FALSE(std::filesystem::exists(place.socket()));
  const auto nobody = ask(place.socket(), "hello");
  REQUIRE_FALSE(nobody);
  CHECK(nobody.error().message().find("no daemon listens") != std::string::npos);
}

TEST_CASE("a client that says nothing, or too much, holds nobody up for long") {
  const Place place;
  const Running running{place};
  const Fd silent = make_socket();
  REQUIRE(connect_to(silent, *address_of(place.socket())));
  CHECK(ask(place.socket(), "hello").has_value());
  CHECK_FALSE(ask(place.socket(), std::string(longest_request + 1, 'x')));
  CHECK(ask(place.socket(), "hello").has_value());
}

TEST_CASE("another user is not heard" * doctest::skip(geteuid() != 0)) {
  const Place place;
  const Running running{place};
  REQUIRE(chmod(place.socket().c_str(), 0666) == 0);
  std::filesystem::permissions(std::filesystem::path{place.socket()}.parent_path().parent_path(),
                               std::filesystem::perms{0755});
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (setresuid(65534, 65534, 65534) != 0) _exit(3);
    const auto answer = ask(place.socket(), "hello");
    _exit(!answer && answer.error().message().find("only root") != std::string::npos ? 0 : 1);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("what a killed daemon left is taken away, a living one and other things are not") {
  const Place place;
  {
    const Running first{place};
    const auto second = Server::open(place.socket(), echo);
    REQUIRE_FALSE(second);
    CHECK(second.error().message().find("another daemon listens") != std::string::npos);
  }
  {
    const Fd left = make_socket();
    const auto address = *address_of(place.socket());
    REQUIRE(bind(left.get(), reinterpret_cast<const sockaddr *>(&address), sizeof(address)) == 0);
  }
  { const Running next{place}; }
  std::ofstream{place.socket()} << "precious";
  CHECK_FALSE(Server::open(place.socket(), echo));
  CHECK(std::filesystem::file_size(place.socket()) == 8);
  CHECK_FALSE(Server::open("/tmp/" + std::string(200, 'x'), echo));
}
