#include "compat.h"

#include <linux/net.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

namespace iptrackd::oracle {
namespace {

// Numbers of arch/x86/entry/syscalls/syscall_32.tbl, which no header of a 64-bit program has.
enum Number32 {
  close_32 = 6,
  getpid_32 = 20,
  socketcall_32 = 102,
  bind_32 = 361,
  connect_32 = 362,
  accept4_32 = 364
};

using Word = std::uint32_t;

// 0 or more, or a negative errno. Older kernels destroy r8 to r11.
int int80(Number32 number, Word first = 0, Word second = 0, Word third = 0, Word fourth = 0) {
  long result = number;
  asm volatile("int $0x80"
               : "+a"(result)
               : "b"(first), "c"(second), "d"(third), "S"(fourth)
               : "memory", "cc", "r8", "r9", "r10", "r11");
  return static_cast<int>(result);
}

// A kernel without 32-bit calls ends the program that tries one.
bool has_int80() {
  const pid_t child = fork();
  if (child == 0) _exit(int80(getpid_32) == getpid() ? 0 : 1);
  int status = 0;
  return waitpid(child, &status, 0) == child && status == 0;
}

// What a 32-bit call reads and writes: its pointers reach no higher than 4 GiB.
class LowMemory {
 public:
  struct Contents {
    sockaddr_storage address;
    std::array<Word, 4> arguments;
  };

  LowMemory()
      : address_{mmap(nullptr, sizeof(Contents), PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0)} {
    if (address_ == MAP_FAILED) die("mmap below 4 GiB");
  }
  ~LowMemory() { munmap(address_, sizeof(Contents)); }
  LowMemory(const LowMemory &) = delete;
  LowMemory &operator=(const LowMemory &) = delete;

  [[nodiscard]] Word put(const Name &name) {
    contents().address = name.bytes;
    return pointer_to(&contents().address);
  }
  [[nodiscard]] Word put(const std::array<Word, 4> &arguments) {
    contents().arguments = arguments;
    return pointer_to(&contents().arguments);
  }

 private:
  [[nodiscard]] Contents &contents() const { return *static_cast<Contents *>(address_); }
  [[nodiscard]] static Word pointer_to(const void *member) {
    return static_cast<Word>(reinterpret_cast<std::uintptr_t>(member));
  }
  void *address_;
};

class Int80Calls : public Calls {
 public:
  Int80Calls() {
    if (!has_int80()) not_here("32-bit system calls");
  }
  int connect(int fd, const Name &to) override {
    return int80(connect_32, static_cast<Word>(fd), memory_.put(to), to.size);
  }
  int bind(int fd, const Name &to) override {
    return int80(bind_32, static_cast<Word>(fd), memory_.put(to), to.size);
  }
  // There is no other accept with a number of its own.
  Accepted accept(int listener, bool /*accept4*/) override {
    return accepted(int80(accept4_32, static_cast<Word>(listener), 0, 0, SOCK_CLOEXEC));
  }
  void close(const Handle &handle) override {
    if (int80(close_32, static_cast<Word>(handle.fd)) != 0) die("close");
  }

 protected:
  static Accepted accepted(int result) { return {std::min(result, 0), {result}}; }
  LowMemory memory_;
};

// All calls but close, which never was among them.
class SocketcallCalls final : public Int80Calls {
 public:
  int connect(int fd, const Name &to) override {
    return call(SYS_CONNECT, {static_cast<Word>(fd), memory_.put(to), to.size});
  }
  int bind(int fd, const Name &to) override {
    return call(SYS_BIND, {static_cast<Word>(fd), memory_.put(to), to.size});
  }
  Accepted accept(int listener, bool accept4) override {
    return accepted(
        call(accept4 ? SYS_ACCEPT4 : SYS_ACCEPT, {static_cast<Word>(listener), 0, 0, SOCK_CLOEXEC}));
  }

 private:
  int call(Word which, const std::array<Word, 4> &arguments) {
    return int80(socketcall_32, which, memory_.put(arguments));
  }
};

class X32Calls final : public Calls {
 public:
  X32Calls() {
    if (x32(SYS_getpid) == -ENOSYS) not_here("x32 system calls");
  }
  int connect(int fd, const Name &to) override { return x32(SYS_connect, fd, to.address(), to.size); }
  int bind(int fd, const Name &to) override { return x32(SYS_bind, fd, to.address(), to.size); }
  Accepted accept(int listener, bool accept4) override {
    const int result = accept4 ? x32(SYS_accept4, listener, nullptr, nullptr, SOCK_CLOEXEC)
                               : x32(SYS_accept, listener, nullptr, nullptr);
    return {std::min(result, 0), {result}};
  }
  void close(const Handle &handle) override {
    if (x32(SYS_close, handle.fd) != 0) die("close");
  }

 private:
  template <typename... Arguments>
  static int x32(long number, Arguments... arguments) {
    constexpr long x32_bit = 0x40000000;
    const long result = syscall(number | x32_bit, arguments...);
    return result < 0 ? -errno : static_cast<int>(result);
  }
};

}  // namespace

std::unique_ptr<Calls> int80_calls() {
  return std::make_unique<Int80Calls>();
}
std::unique_ptr<Calls> socketcall_calls() {
  return std::make_unique<SocketcallCalls>();
}
std::unique_ptr<Calls> x32_calls() {
  return std::make_unique<X32Calls>();
}

}  // namespace iptrackd::oracle
