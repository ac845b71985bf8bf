#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <thread>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

using Deed = Child::Deed;

void in_thread(Report &report, const Deed &deed) {
  std::thread{[&] { deed(report); }}.join();
}

void in_process(Report &report, const Deed &deed) {
  Child{deed}.wait(report);
}

void in_session(Report &report, const Deed &deed) {
  in_process(report, [&](Report &to) {
    if (setsid() < 0) die("setsid");
    deed(to);
  });
}

// A session of its own, whose controlling terminal is a fresh pty; the first terminal that its leader opens
// becomes it.
void on_pty(Report &report, const Deed &deed) {
  const Fd master{posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC)};
  if (!master || grantpt(master.get()) != 0 || unlockpt(master.get()) != 0) die("open a pty");
  const std::string name = ptsname(master.get());
  in_session(report, [&](Report &to) {
    const Fd slave{open(name.c_str(), O_RDWR | O_CLOEXEC)};
    if (!slave) die("open " + name);
    deed(to);
  });
}

void as_pty_child(Report &report, const Deed &deed) {
  on_pty(report, [&](Report &to) { in_process(to, deed); });
}

void raise_loopback() {
  const Fd socket{::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)};
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP;
  if (!socket || ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) die("raise the loopback interface");
}

// Its own network, mounts and pids. /proc stays the host's, so that the facts are as the host sees them.
void in_namespaces(Report &report, const Deed &deed) {
  in_process(report, [&](Report &to) {
    if (unshare(CLONE_NEWNET | CLONE_NEWNS | CLONE_NEWPID) != 0) die("unshare");
    raise_loopback();
    in_process(to, [&](Report &inner) {
      if (getpid() != 1) die("not in a pid namespace");
      deed(inner);
    });
  });
}

// Where only version 1 is mounted, one that nobody else sees, until this program ends.
std::filesystem::path own_unified_hierarchy() {
  const int file_system = fsopen("cgroup2", FSOPEN_CLOEXEC);
  if (file_system < 0 || fsconfig(file_system, FSCONFIG_CMD_CREATE, nullptr, nullptr, 0) != 0) die("fsopen");
  const int root = fsmount(file_system, 0, 0);
  if (root < 0) die("fsmount");
  return "/proc/self/fd/" + std::to_string(root);
}

std::filesystem::path unified_hierarchy() {
  std::istringstream mounts{slurp("/proc/self/mounts")};
  for (std::string line; std::getline(mounts, line);) {
    std::istringstream words{line};
    std::string device, where, type;
    words >> device >> where >> type;
    if (type == "cgroup2") return where;
  }
  return own_unified_hierarchy();
}

void in_cgroup(Report &report, const Deed &deed) {
  const auto group = unified_hierarchy() / ("iptrackd-oracle-" + std::to_string(getpid()));
  std::filesystem::create_directory(group);
  in_process(report, [&](Report &to) {
    std::ofstream{group / "cgroup.procs"} << getpid() << std::flush;
    deed(to);
  });
  std::filesystem::remove(group);
}

void with_loginuid(Report &report, const Deed &deed) {
  in_process(report, [&](Report &to) {
    std::ofstream file{"/proc/self/loginuid"};
    if (!(file << 12345 << std::flush)) die("write /proc/self/loginuid");
    deed(to);
  });
}

}  // namespace

void in_context(const Options &options, Report &report, void (*deed)(const Options &, Report &)) {
  const std::map<std::string, void (*)(Report &, const Deed &)> contexts{
      {"thread", in_thread},  {"process", in_process},     {"session", in_session},
      {"pty-leader", on_pty}, {"pty-child", as_pty_child}, {"namespaces", in_namespaces},
      {"cgroup", in_cgroup},  {"loginuid", with_loginuid},
  };
  const Deed with_options = [&](Report &to) { deed(options, to); };
  const std::string name = options.text("in", "here");
  if (name == "here") return with_options(report);
  const auto context = contexts.find(name);
  if (context == contexts.end()) {
    errno = EINVAL;
    die("in=" + name);
  }
  context->second(report, with_options);
}

}  // namespace iptrackd::oracle
