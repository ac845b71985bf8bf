// Ring: an io_uring, one operation at a time.
#ifndef IPTRACKD_TESTS_PROGRAMS_RING_H
#define IPTRACKD_TESTS_PROGRAMS_RING_H

#include <liburing.h>

#include <cstdint>
#include <deque>
#include <map>
#include <utility>

namespace iptrackd::oracle {

struct Completion {
  int result = 0;     // of the operation, or a negative errno
  bool more = false;  // the operation goes on and will be completed again
};

class Ring {
 public:
  // Ends the program by not_here() where there is no io_uring.
  explicit Ring(unsigned setup_flags);
  ~Ring();
  Ring(const Ring &) = delete;
  Ring &operator=(const Ring &) = delete;

  [[nodiscard]] bool has_feature(unsigned feature) const { return (ring_.features & feature) != 0; }
  // not_here() where the kernel does not know this operation.
  void need(int operation, const char *name);

  // An entry to be filled in, which submit() hands over with all that came before it.
  [[nodiscard]] io_uring_sqe &prepare();
  // The number by which wait() knows the operation of this entry; to be called when it is filled in.
  [[nodiscard]] std::uint64_t number(io_uring_sqe &entry);
  void submit();
  [[nodiscard]] Completion wait(std::uint64_t number);
  // Whichever is completed next, with its number.
  [[nodiscard]] std::pair<std::uint64_t, Completion> next();

  // Direct descriptors: a table of its own, with room for SLOTS.
  static constexpr unsigned slots = 16;
  void make_table();
  void put_in_table(unsigned slot, int fd);

 private:
  io_uring ring_{};
  std::uint64_t last_number_ = 0;
  std::map<std::uint64_t, std::deque<Completion>> arrived_;
};

}  // namespace iptrackd::oracle

#endif
