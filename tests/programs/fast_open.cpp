#include "fast_open.h"

#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

#include <cerrno>
#include <fstream>

namespace iptrackd::oracle {
namespace {

constexpr std::string_view first_bytes = "hello";

// A setting that changes is nobody else's business where no packet can leave.
bool is_alone_in_network() {
  const std::unique_ptr<struct if_nameindex, decltype(&if_freenameindex)> interfaces{::if_nameindex(),
                                                                                     &if_freenameindex};
  return interfaces && interfaces.get()[0].if_index != 0 && interfaces.get()[1].if_index == 0;
}

// net.ipv4.tcp_fastopen, see the kernel's ip-sysctl: client and server, both without a cookie, for every
// listener.
void need_no_cookie() {
  errno = EPERM;
  if (!is_alone_in_network()) die("not in a network namespace of its own");
  if (!(std::ofstream{"/proc/sys/net/ipv4/tcp_fastopen"} << 0x607 << std::flush)) die("tcp_fastopen");
}

// Did the SYN carry data that the peer has taken?
bool has_sent_at_once(int fd) {
  tcp_info info{};
  socklen_t size = sizeof(info);
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size) != 0) die("TCP_INFO");
  return (info.tcpi_options & TCPI_OPT_SYN_DATA) != 0;
}

class FastOpenCalls final : public SystemCalls {
 public:
  FastOpenCalls(FastOpen how, bool at_once) : how_{how}, at_once_{at_once} {}

  void prepare_listener(int /*listener*/) override {
    if (at_once_) need_no_cookie();
  }
  int connect(int fd, const Name &to) override {
    if (at_once_) need_no_cookie();
    const int result =
        how_ == FastOpen::by_sendto ? send_first(fd, MSG_FASTOPEN, to) : connect_and_send(fd, to);
    errno = 0;
    if (result == 0 && has_sent_at_once(fd) != at_once_) die("data in the SYN, or none");
    return result;
  }
  std::uint64_t sent_by_connect() const override { return first_bytes.size(); }

 private:
  int connect_and_send(int fd, const Name &to) {
    const int on = 1;
    if (setsockopt(fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on)) != 0) die("TCP_FASTOPEN_CONNECT");
    const int result = SystemCalls::connect(fd, to);
    return result == 0 ? send_first(fd, 0, {}) : result;
  }
  static int send_first(int fd, int flags, const Name &to) {
    const auto sent = sendto(fd, first_bytes.data(), first_bytes.size(), flags,
                             to.size == 0 ? nullptr : to.address(), to.size);
    return sent < 0 ? -errno : 0;
  }

  FastOpen how_;
  bool at_once_;
};

}  // namespace

std::unique_ptr<Calls> fast_open_calls(FastOpen how, bool at_once) {
  return std::make_unique<FastOpenCalls>(how, at_once);
}

}  // namespace iptrackd::oracle
