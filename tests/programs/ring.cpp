#include "ring.h"

#include <array>
#include <cerrno>
#include <memory>

#include "ways.h"

namespace iptrackd::oracle {
namespace {

// liburing hands its errors out as results.
void check_ring(int result, const char *what) {
  if (result >= 0) return;
  errno = -result;
  die(what);
}

}  // namespace

Ring::Ring(unsigned setup_flags) {
  const int result = io_uring_queue_init(16, &ring_, setup_flags);
  // Left out, switched off, or refused by what confines this process.
  if (result == -ENOSYS || result == -EPERM) not_here("io_uring");
  check_ring(result, "io_uring_queue_init");
}

Ring::~Ring() {
  io_uring_queue_exit(&ring_);
}

void Ring::need(int operation, const char *name) {
  const std::unique_ptr<io_uring_probe, decltype(&io_uring_free_probe)> probe{io_uring_get_probe_ring(&ring_),
                                                                              &io_uring_free_probe};
  if (!probe || io_uring_opcode_supported(probe.get(), operation) == 0)
    not_here(std::string{"io_uring operation "} + name);
}

io_uring_sqe &Ring::prepare() {
  io_uring_sqe *const entry = io_uring_get_sqe(&ring_);
  if (entry == nullptr) die("io_uring_get_sqe");
  return *entry;
}

std::uint64_t Ring::number(io_uring_sqe &entry) {
  io_uring_sqe_set_data64(&entry, ++last_number_);
  return last_number_;
}

void Ring::submit() {
  check_ring(io_uring_submit(&ring_), "io_uring_submit");
}

std::pair<std::uint64_t, Completion> Ring::next() {
  io_uring_cqe *entry = nullptr;
  int result = 0;
  do result = io_uring_wait_cqe(&ring_, &entry);
  while (result == -EINTR);
  check_ring(result, "io_uring_wait_cqe");
  const Completion completion{entry->res, (entry->flags & IORING_CQE_F_MORE) != 0};
  const std::uint64_t number = entry->user_data;
  io_uring_cqe_seen(&ring_, entry);
  return {number, completion};
}

Completion Ring::wait(std::uint64_t number) {
  std::deque<Completion> &wanted = arrived_[number];
  while (wanted.empty()) {
    const auto [whose, completion] = next();
    arrived_[whose].push_back(completion);
  }
  const Completion first = wanted.front();
  wanted.pop_front();
  return first;
}

void Ring::make_table() {
  std::array<int, slots> none{};
  none.fill(-1);
  check_ring(io_uring_register_files(&ring_, none.data(), slots), "io_uring_register_files");
}

void Ring::put_in_table(unsigned slot, int fd) {
  check_ring(io_uring_register_files_update(&ring_, slot, &fd, 1), "io_uring_register_files_update");
}

}  // namespace iptrackd::oracle
