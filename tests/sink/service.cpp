#include "sink/service.h"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

namespace iptrackd::test {
namespace {

// PostgreSQL's programs refuse to run as root.
const passwd *other_user() {
  return geteuid() == 0 ? getpwnam("postgres") : nullptr;
}

}  // namespace

Service::Service() {
  std::string path = "/var/tmp/iptrackd-service.XXXXXX";
  REQUIRE(mkdtemp(path.data()) != nullptr);
  directory_ = path;
  if (const passwd *user = other_user()) REQUIRE(chown(path.c_str(), user->pw_uid, user->pw_gid) == 0);
}

Service::~Service() {
  if (child_ > 0) {
    kill(child_, SIGTERM);
    waitpid(child_, nullptr, 0);
  }
  std::filesystem::remove_all(directory_);
}

void Service::write(const std::string &name, const std::string &text) const {
  std::ofstream{directory_ + "/" + name} << text;
}

void Service::start(const std::vector<std::string> &command) {
  const passwd *user = other_user();
  child_ = fork();
  REQUIRE(child_ >= 0);
  if (child_ > 0) return;
  if (user != nullptr && (setgid(user->pw_gid) != 0 || setuid(user->pw_uid) != 0)) _exit(126);
  if (chdir("/") != 0) _exit(126);
  std::vector<char *> arguments;
  for (const std::string &argument : command) arguments.push_back(const_cast<char *>(argument.c_str()));
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
  _exit(127);
}

bool Service::run(const std::string &command) const {
  const std::string as_user = other_user() != nullptr ? "runuser -u postgres -- " : "";
  return std::system(("cd / && " + as_user + command + " >>" + directory_ + "/log 2>&1").c_str()) == 0;
}

Fd silent_listener() {
  Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  REQUIRE(bind(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0);
  REQUIRE(listen(socket.get(), 5) == 0);
  return socket;
}

std::uint16_t port_of(const Fd &socket) {
  sockaddr_in address{};
  socklen_t size = sizeof(address);
  REQUIRE(getsockname(socket.get(), reinterpret_cast<sockaddr *>(&address), &size) == 0);
  return ntohs(address.sin_port);
}

void await_listener(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int tries = 0; tries < 500; ++tries) {
    const Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (connect(socket.get(), reinterpret_cast<sockaddr *>(&address), sizeof(address)) == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  FAIL("nobody listens on port " << port);
}

std::uint16_t free_port() {
  return port_of(silent_listener());
}

}  // namespace iptrackd::test
