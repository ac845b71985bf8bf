#include "ways.h"

#include <unistd.h>

#include <cerrno>
#include <functional>
#include <map>
#include <memory>

#include "compat.h"
#include "fast_open.h"
#include "uring.h"

namespace iptrackd::oracle {
namespace {

using MadeBy = std::map<std::string, std::shared_ptr<Calls>, std::less<>>;

MadeBy &calls_by_kind() {
  static const auto system_calls = std::make_shared<SystemCalls>();
  static MadeBy by_kind{
      {"connect", system_calls}, {"bind", system_calls}, {"accept", system_calls}, {"close", system_calls}};
  return by_kind;
}

std::shared_ptr<Calls> calls_by_way(const std::string &way) {
  using Make = std::function<std::unique_ptr<Calls>()>;
  const std::map<std::string, Make> ways{
      {"system-call", std::make_unique<SystemCalls>},
      {"uring", [] { return uring_calls(Uring::plain); }},
      {"uring-worker", [] { return uring_calls(Uring::worker); }},
      {"uring-sqpoll", [] { return uring_calls(Uring::sqpoll); }},
      {"uring-quiet", [] { return uring_calls(Uring::quiet); }},
      {"uring-multishot", [] { return uring_calls(Uring::multishot); }},
      {"uring-direct", [] { return direct_calls(LastClose::asked_for); }},
      {"uring-direct-left", [] { return direct_calls(LastClose::left_to_the_ring); }},
      {"fast-open", [] { return fast_open_calls(FastOpen::by_sendto, false); }},
      {"fast-open-option", [] { return fast_open_calls(FastOpen::by_option, false); }},
      {"fast-open-at-once", [] { return fast_open_calls(FastOpen::by_sendto, true); }},
      {"fast-open-option-at-once", [] { return fast_open_calls(FastOpen::by_option, true); }},
      {"int80", int80_calls},
      {"socketcall", socketcall_calls},
      {"x32", x32_calls},
  };
  const auto found = ways.find(way);
  if (found != ways.end()) return found->second();
  errno = EINVAL;
  die("way=" + way);
}

}  // namespace

int SystemCalls::connect(int fd, const Name &to) {
  return ::connect(fd, to.address(), to.size) == 0 ? 0 : -errno;
}

int SystemCalls::bind(int fd, const Name &to) {
  return ::bind(fd, to.address(), to.size) == 0 ? 0 : -errno;
}

Accepted SystemCalls::accept(int listener, bool accept4) {
  const int fd =
      accept4 ? ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC) : ::accept(listener, nullptr, nullptr);
  return {fd < 0 ? -errno : 0, {fd}};
}

void SystemCalls::close(const Handle &handle) {
  if (::close(handle.fd) != 0) die("close");
}

Calls &calls_for(std::string_view kind) {
  return *calls_by_kind().find(kind)->second;
}

void use_way(const std::string &way, const std::string &kinds) {
  const std::shared_ptr<Calls> calls = calls_by_way(way);
  for (auto &[kind, made_by] : calls_by_kind()) {
    const bool wanted = ("+" + kinds + "+").find("+" + kind + "+") != std::string::npos;
    if (wanted || (kind == "close" && way.starts_with("uring-direct"))) made_by = calls;
  }
}

void not_here(const std::string &what) {
  std::fprintf(stderr, "oracle: this kernel has no %s\n", what.c_str());
  std::exit(exit_not_here);
}

}  // namespace iptrackd::oracle
