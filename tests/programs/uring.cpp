#include "uring.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <map>

#include "core/fd.h"
#include "ring.h"

namespace iptrackd::oracle {
namespace {

// Newer than the headers of the C library.
constexpr int operation_bind = 56;

void prepare_bind(io_uring_sqe &entry, int fd, const Name &to) {
  io_uring_prep_rw(operation_bind, &entry, fd, to.address(), 0, to.size);
}

class UringCalls : public Calls {
 public:
  explicit UringCalls(Uring variant) : variant_{variant} {}

  int connect(int fd, const Name &to) override {
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_connect(&entry, fd, to.address(), to.size);
    return perform(entry);
  }
  int bind(int fd, const Name &to) override {
    ring().need(operation_bind, "bind");
    io_uring_sqe &entry = ring().prepare();
    prepare_bind(entry, fd, to);
    return perform(entry);
  }
  void begin_accept(int listener) override {
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_accept(&entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    entry.flags |= flags();
    accepting_ = ring().number(entry);
    ring().submit();
  }
  Accepted accept(int listener, bool /*accept4*/) override {
    if (!accepting_) begin_accept(listener);
    const int result = ring().wait(*std::exchange(accepting_, std::nullopt)).result;
    return {std::min(result, 0), {result}};
  }
  void close(const Handle &handle) override {
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_close(&entry, handle.fd);
    const int result = perform(entry);
    if (result != 0) fail(result, "io_uring close");
    // A thread of the kernel lets go of a file after it has said so.
    if (is_of_another_thread()) usleep(20'000);
  }
  void describe(Json &row) const override {
    row["marks"] = {"io_uring"};
    if (!is_of_another_thread()) return;
    row["tid"] = {{"not_null", true}};
    row["comm"] = {{"not_null", true}};
  }

 protected:
  // Made by the process that uses it: a fork does not take it along.
  [[nodiscard]] Ring &ring() {
    if (ring_) return *ring_;
    ring_ = std::make_unique<Ring>(variant_ == Uring::sqpoll ? IORING_SETUP_SQPOLL : 0U);
    if (variant_ == Uring::sqpoll && !ring_->has_feature(IORING_FEAT_SQPOLL_NONFIXED))
      not_here("IORING_FEAT_SQPOLL_NONFIXED");
    if (variant_ == Uring::quiet && !ring_->has_feature(IORING_FEAT_CQE_SKIP))
      not_here("IORING_FEAT_CQE_SKIP");
    return *ring_;
  }
  void end_ring() { ring_.reset(); }
  [[nodiscard]] virtual unsigned char flags() const { return variant_ == Uring::worker ? IOSQE_ASYNC : 0; }
  [[nodiscard]] virtual int perform(io_uring_sqe &entry) {
    entry.flags |= flags();
    const std::uint64_t number = ring().number(entry);
    ring().submit();
    return ring().wait(number).result;
  }
  [[noreturn]] static void fail(int result, const char *what) {
    errno = -result;
    die(what);
  }

 private:
  [[nodiscard]] bool is_of_another_thread() const {
    return variant_ == Uring::worker || variant_ == Uring::sqpoll;
  }

  Uring variant_;
  std::unique_ptr<Ring> ring_;
  std::optional<std::uint64_t> accepting_;
};

// Nothing tells that the operation succeeded but that another one, which waits for it, is done.
class QuietCalls final : public UringCalls {
 public:
  QuietCalls() : UringCalls{Uring::quiet} {}

  void begin_accept(int /*listener*/) override {}
  // Which descriptor it became is not told either. It is the lowest that was free.
  Accepted accept(int listener, bool /*accept4*/) override {
    io_uring_sqe &entry = ring().prepare();
    const int next = fcntl(listener, F_DUPFD_CLOEXEC, 0);
    if (next < 0 || ::close(next) != 0) die("F_DUPFD_CLOEXEC");
    io_uring_prep_accept(&entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    const int result = perform(entry);
    return {result, {next}};
  }

 protected:
  int perform(io_uring_sqe &entry) override {
    entry.flags |= IOSQE_CQE_SKIP_SUCCESS | IOSQE_IO_LINK;
    const std::uint64_t quiet = ring().number(entry);
    io_uring_sqe &next = ring().prepare();
    io_uring_prep_nop(&next);
    const std::uint64_t waiting = ring().number(next);
    ring().submit();
    // A failure may take the next one with it without a word.
    for (;;) {
      const auto [number, completion] = ring().next();
      if (number == quiet) return completion.result;
      if (number == waiting && completion.result == 0) return 0;
    }
  }
};

class MultishotCalls final : public UringCalls {
 public:
  MultishotCalls() : UringCalls{Uring::multishot} {}

  void begin_accept(int listener) override {
    if (accepting_) return;
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_multishot_accept(&entry, listener, nullptr, nullptr, SOCK_CLOEXEC);
    accepting_ = ring().number(entry);
    listener_ = listener;
    ring().submit();
  }
  Accepted accept(int listener, bool /*accept4*/) override {
    begin_accept(listener);
    const Completion completion = ring().wait(*accepting_);
    if (completion.result == -EINVAL) not_here("multishot accept");
    if (!completion.more) fail(completion.result, "a multishot accept that is over");
    return {0, {completion.result}, {}, true};
  }
  void end_accept(int listener) override {
    if (!accepting_ || listener != listener_) return;
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_cancel64(&entry, *accepting_, 0);
    if (const int result = perform(entry); result != 0) fail(result, "cancel an accept");
    if (ring().wait(*accepting_).result != -ECANCELED) die("an accept that was cancelled");
    accepting_.reset();
  }

 private:
  std::optional<std::uint64_t> accepting_;
  int listener_ = -1;
};

class DirectCalls final : public UringCalls {
 public:
  explicit DirectCalls(LastClose last_close) : UringCalls{Uring::plain}, last_close_{last_close} {}

  int connect(int fd, const Name &to) override {
    io_uring_sqe &entry = table().prepare();
    io_uring_prep_connect(&entry, static_cast<int>(slot_of(fd)), to.address(), to.size);
    entry.flags |= IOSQE_FIXED_FILE;
    return perform(entry);
  }
  int bind(int fd, const Name &to) override {
    table().need(operation_bind, "bind");
    io_uring_sqe &entry = ring().prepare();
    prepare_bind(entry, static_cast<int>(slot_of(fd)), to);
    entry.flags |= IOSQE_FIXED_FILE;
    return perform(entry);
  }
  void begin_accept(int /*listener*/) override {}
  Accepted accept(int listener, bool /*accept4*/) override {
    Accepted accepted;
    accepted.peer.size = sizeof(accepted.peer.bytes);
    accepted.handle.slot = next_slot_++;
    io_uring_sqe &entry = table().prepare();
    io_uring_prep_accept_direct(&entry, listener, accepted.peer.address(), &accepted.peer.size, 0,
                                *accepted.handle.slot);
    accepted.error = perform(entry);
    // Up to 5.14 the place is ignored, and a descriptor comes.
    if (accepted.error > 0 || accepted.error == -EINVAL) not_here("direct descriptors");
    return accepted;
  }
  void close(const Handle &handle) override {
    std::optional<unsigned> slot = handle.slot;
    if (const auto found = slots_.find(handle.fd); found != slots_.end()) {
      slot = found->second;
      slots_.erase(found);
      if (::close(handle.fd) != 0) die("close");
    }
    is_late_ = false;
    if (!slot) return UringCalls::close(handle);
    is_late_ = last_close_ == LastClose::left_to_the_ring || !releases_at_once();
    if (last_close_ == LastClose::left_to_the_ring) {
      end_ring();
      has_table_ = false;
    } else {
      close_slot(*slot);
    }
    if (is_late_) usleep(late_us);
  }
  void describe(Json &row) const override {
    UringCalls::describe(row);
    if (!is_late_ || row.at("kind") != "close") return;
    row["marks"] = {"by_kernel"};
    // Who opened the socket is known of it, and not in which surroundings.
    for (const char *column : {"tty", "cgroup", "mnt_ns"}) row.erase(column);
  }

 private:
  // A thread of the kernel takes the table apart after the program has let go of it. Up to 6.3 one also takes
  // out single entries, and collects them for a second before.
  static constexpr useconds_t late_us = 1'500'000;

  void close_slot(unsigned slot) {
    io_uring_sqe &entry = ring().prepare();
    io_uring_prep_close_direct(&entry, slot);
    if (const int result = perform(entry); result != 0) fail(result, "io_uring close of a direct descriptor");
  }
  // Shown by a pipe: is its end seen as soon as its entry is closed?
  bool releases_at_once() {
    std::array<int, 2> ends{};
    if (pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) die("pipe2");
    const Fd reader{ends[0]};
    const unsigned slot = next_slot_++;
    table().put_in_table(slot, ends[1]);
    if (::close(ends[1]) != 0) die("close");
    close_slot(slot);
    char nothing = 0;
    return read(reader.get(), &nothing, 1) == 0;
  }
  Ring &table() {
    if (!std::exchange(has_table_, true)) ring().make_table();
    return ring();
  }
  unsigned slot_of(int fd) {
    const auto [entry, is_new] = slots_.try_emplace(fd, next_slot_);
    if (is_new) table().put_in_table(next_slot_++, fd);
    return entry->second;
  }

  LastClose last_close_;
  bool has_table_ = false;
  bool is_late_ = false;  // the last close
  unsigned next_slot_ = 0;
  std::map<int, unsigned> slots_;
};

}  // namespace

std::unique_ptr<Calls> uring_calls(Uring variant) {
  if (variant == Uring::quiet) return std::make_unique<QuietCalls>();
  if (variant == Uring::multishot) return std::make_unique<MultishotCalls>();
  return std::make_unique<UringCalls>(variant);
}

std::unique_ptr<Calls> direct_calls(LastClose last_close) {
  return std::make_unique<DirectCalls>(last_close);
}

}  // namespace iptrackd::oracle
