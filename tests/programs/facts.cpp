#include "facts.h"

#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

namespace iptrackd::oracle {
namespace {

constexpr long overlayfs_magic = 0x794c7630;
constexpr std::uint32_t audit_unset = 0xffffffffU;

std::int64_t nanoseconds(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// The fields of /proc/thread-self/stat from the third on: the second, comm, may hold spaces and parentheses.
std::vector<std::string> stat_fields() {
  const std::string stat = slurp("/proc/thread-self/stat");
  std::istringstream rest{stat.substr(stat.rfind(')') + 2)};
  std::vector<std::string> fields;
  for (std::string field; rest >> field;) fields.push_back(field);
  return fields;
}

std::int64_t stat_number(std::size_t field) {
  return std::stoll(stat_fields().at(field - 3));
}

int status_number(const std::string &name) {
  std::istringstream status{slurp("/proc/thread-self/status")};
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with(name + ":")) return std::stoi(line.substr(name.size() + 1));
  }
  die("no " + name + " in /proc/thread-self/status");
}

// The controlling terminal's name, found by its device number.
Json tty_name() {
  const auto number = static_cast<std::uint32_t>(stat_number(7));
  if (number == 0) return nullptr;
  const unsigned minor_number = (number & 0xffU) | ((number >> 12) & 0xfff00U);
  const dev_t device = makedev((number >> 8) & 0xfffU, minor_number);
  for (const char *directory : {"/dev/pts", "/dev"}) {
    for (const auto &entry : std::filesystem::directory_iterator{directory}) {
      struct stat status {};
      const bool found = stat(entry.path().c_str(), &status) == 0 && S_ISCHR(status.st_mode);
      if (found && status.st_rdev == device) return entry.path().lexically_relative("/dev").string();
    }
  }
  die("no name in /dev for the controlling terminal");
}

Json audit_number(const std::string &path) {
  const std::string text = slurp(path);
  if (text.empty()) return nullptr;
  const auto number = static_cast<std::uint32_t>(std::stoul(text));
  return number == audit_unset ? Json(nullptr) : Json(number);
}

Json unified_cgroup() {
  std::istringstream lines{slurp("/proc/self/cgroup")};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("0::")) return shown(line.substr(3));
  }
  return nullptr;
}

std::string without_newline(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text;
}

void add_executable(Json &facts) {
  facts["exe"] = shown(own_path());
  struct stat status {};
  struct statfs filesystem {};
  if (stat("/proc/self/exe", &status) != 0 || statfs("/proc/self/exe", &filesystem) != 0)
    die("stat /proc/self/exe");
  facts["exe_inode"] = status.st_ino;
  const auto device = std::to_string(major(status.st_dev)) + ":" + std::to_string(minor(status.st_dev));
  // On overlayfs stat tells another device than the kernel's superblock has: nothing exact can be expected.
  facts["exe_dev"] = filesystem.f_type == overlayfs_magic ? Json{{"not_null", true}} : Json(device);
}

Json arguments() {
  Json list = Json::array();
  std::string cmdline = slurp("/proc/self/cmdline");
  for (std::size_t begin = 0; begin < cmdline.size();) {
    const std::size_t end = cmdline.find('\0', begin);
    list.push_back(shown(std::string_view{cmdline}.substr(begin, end - begin)));
    begin = end + 1;
  }
  return list;
}

// When this process began, as /proc tells it in ticks since boot; exec came after.
Moment process_began() {
  const std::int64_t since_boot_ns = nanoseconds(CLOCK_REALTIME) - nanoseconds(CLOCK_BOOTTIME);
  const std::int64_t tick_ns = 1'000'000'000 / sysconf(_SC_CLK_TCK);
  return {(since_boot_ns + stat_number(22) * tick_ns) / 1000, 0};
}

}  // namespace

Moment now() {
  return {nanoseconds(CLOCK_REALTIME) / 1000, nanoseconds(CLOCK_MONOTONIC)};
}

Json ts_within(const Span &span) {
  return {{"between", {span.from.unix_us, span.to.unix_us}}};
}

Json duration_between(const Span &begun, const Span &ended) {
  const std::int64_t least = std::max<std::int64_t>(ended.from.steady_ns - begun.to.steady_ns, 0);
  return {{"between", {least / 1000, (ended.to.steady_ns - begun.from.steady_ns) / 1000}}};
}

void to_json(Json &json, const Moment &moment) {
  json = {moment.unix_us, moment.steady_ns};
}
void from_json(const Json &json, Moment &moment) {
  moment = {json.at(0), json.at(1)};
}
void to_json(Json &json, const Span &span) {
  json = {span.from, span.to};
}
void from_json(const Json &json, Span &span) {
  span = {json.at(0).get<Moment>(), json.at(1).get<Moment>()};
}

Json who() {
  Json facts;
  uid_t real_user = 0, effective_user = 0, saved_user = 0;
  gid_t real_group = 0, effective_group = 0, saved_group = 0;
  getresuid(&real_user, &effective_user, &saved_user);
  getresgid(&real_group, &effective_group, &saved_group);
  facts["pid"] = status_number("Tgid");
  facts["tid"] = status_number("Pid");
  facts["ppid"] = status_number("PPid");
  facts["sid"] = stat_number(6);
  facts["tty"] = tty_name();
  facts["uid"] = real_user;
  facts["gid"] = real_group;
  facts["euid"] = effective_user;
  facts["egid"] = effective_group;
  facts["loginuid"] = audit_number("/proc/self/loginuid");
  facts["audit_session"] = audit_number("/proc/self/sessionid");
  facts["comm"] = shown(without_newline(slurp("/proc/thread-self/comm")));
  facts["cgroup"] = unified_cgroup();
  struct stat mounts {};
  if (stat("/proc/thread-self/ns/mnt", &mounts) != 0) die("stat /proc/thread-self/ns/mnt");
  facts["mnt_ns"] = mounts.st_ino;
  add_executable(facts);
  return facts;
}

Json row(std::string_view kind, const Span &when, int result) {
  Json facts = who();
  utsname system{};
  uname(&system);
  facts["host"] = system.nodename;
  facts["boot_id"] = without_newline(slurp("/proc/sys/kernel/random/boot_id"));
  facts["kind"] = kind;
  facts["ts"] = ts_within(when);
  facts["result"] = result;
  return facts;
}

Json own_exec(const Moment &main_began) {
  Json facts = row("exec", {process_began(), main_began}, 0);
  facts["args"] = arguments();
  facts["args_truncated"] = false;
  facts["cwd"] = shown(std::filesystem::current_path().native());
  return facts;
}

std::string slurp(const std::string &path) {
  std::ifstream file{path, std::ios::binary};
  std::ostringstream text;
  if (file) text << file.rdbuf();
  return text.str();
}

std::string own_path() {
  std::array<char, PATH_MAX> path{};
  const ssize_t length = readlink("/proc/self/exe", path.data(), path.size());
  if (length < 0) die("readlink /proc/self/exe");
  return {path.data(), static_cast<std::size_t>(length)};
}

int host_pid() {
  return status_number("Tgid");
}

void die(const std::string &what) {
  std::fprintf(stderr, "oracle: %s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(1);
}

}  // namespace iptrackd::oracle
