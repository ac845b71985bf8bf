#include "unix_pair.h"

#include <sys/socket.h>

#include <array>
#include <cstring>

#include "facts.h"

namespace iptrackd::oracle {
namespace {

constexpr std::size_t text_max = 4096;
constexpr std::size_t descriptors_max = 4;

union Control {
  cmsghdr header;
  std::array<char, CMSG_SPACE(descriptors_max * sizeof(int))> bytes;
};

}  // namespace

UnixPair::UnixPair() {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) die("socketpair");
  sender_ = Fd{ends[0]};
  receiver_ = Fd{ends[1]};
}

void UnixPair::send(const std::string &text, const std::vector<int> &descriptors) const {
  // A message without a byte would be the end to its reader.
  std::string bytes = text.empty() ? std::string{"-"} : text;
  iovec part{bytes.data(), bytes.size()};
  Control control{};
  const std::size_t size = descriptors.size() * sizeof(int);
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = CMSG_SPACE(size);
  cmsghdr *const header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(header), descriptors.data(), size);
  if (sendmsg(sender_.get(), &message, 0) != static_cast<ssize_t>(bytes.size())) die("sendmsg");
}

std::pair<std::string, Fd> UnixPair::receive() {
  sender_.reset();
  std::string text(text_max, '\0');
  iovec part{text.data(), text.size()};
  Control control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t length = recvmsg(receiver_.get(), &message, MSG_CMSG_CLOEXEC);
  const cmsghdr *const header = length > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) die("receive a descriptor");
  text.resize(static_cast<std::size_t>(length));
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof(fd));
  return {std::move(text), Fd{fd}};
}

void UnixPair::wait_for_end() {
  sender_.reset();
  char nothing = 0;
  if (recv(receiver_.get(), &nothing, 1, 0) != 0) die("wait for the other end");
}

void UnixPair::close() {
  sender_.reset();
  receiver_.reset();
}

}  // namespace iptrackd::oracle
