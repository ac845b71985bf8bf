// The calls of a program that leaves them to io_uring.
#ifndef IPTRACKD_TESTS_PROGRAMS_URING_H
#define IPTRACKD_TESTS_PROGRAMS_URING_H

#include <memory>

#include "ways.h"

namespace iptrackd::oracle {

enum class Uring {
  plain,      // in the context of who submits
  worker,     // by a worker thread of the kernel (IOSQE_ASYNC)
  sqpoll,     // by the kernel's thread that polls the ring, without any system call
  quiet,      // without a completion where it succeeds (IOSQE_CQE_SKIP_SUCCESS)
  multishot,  // one accept that is completed for every connection
};
[[nodiscard]] std::unique_ptr<Calls> uring_calls(Uring variant);

// Sockets in the table of the ring instead of descriptors: an accepted one has never been a descriptor. A
// socket of this program's is put into the table before its first call, and its descriptor is closed before
// the entry is.
enum class LastClose { asked_for, left_to_the_ring };
[[nodiscard]] std::unique_ptr<Calls> direct_calls(LastClose last_close);

}  // namespace iptrackd::oracle

#endif
