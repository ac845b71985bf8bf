// The directory beside the FIFO (FIFO.d) in which callbacks leave their records while no daemon reads: one
// record, one file, names sort by time. What is there is checked like anything from outside, though only root
// can write there. Not thread-safe.
#ifndef IPTRACKD_PAM_LEFTOVERS_H
#define IPTRACKD_PAM_LEFTOVERS_H

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/fd.h"
#include "core/result.h"
#include "pam/record_stream.h"

namespace iptrackd::pam {

class Leftovers {
 public:
  explicit Leftovers(const std::string &fifo) : directory_{fifo + ".d"} {}

  // Error (environment) when the directory exists and is not root's alone: callbacks would refuse it, too.
  [[nodiscard]] Result<void> check() const;

  enum class Verdict : std::uint8_t {
    taken,  // handed in: the file stays until settle(), and is not shown again
    bad,    // not a record: the file goes, too, for it would be as bad next time
    later,  // the file stays, and the visit ends
  };
  // Shows VISIT each record that is not taken yet, oldest first; each is at most IPTRACKD_PAM_RECORD_MAX
  // bytes and whole. TICKET is for settle(). Returns the number of files that were removed unread or as
  // `bad`.
  std::uint64_t visit(const std::function<Verdict(Bytes record, std::uint64_t ticket)> &visit);
  // The record of TICKET is safe elsewhere: its file goes.
  void settle(std::uint64_t ticket);

  // Leaves RECORD for the next daemon, as a callback would.
  [[nodiscard]] Result<void> leave(Bytes record);

 private:
  [[nodiscard]] Result<Fd> open_directory() const;

  std::string directory_;
  std::uint64_t left_ = 0;  // makes the names of files unique
  std::uint64_t last_ticket_ = 0;
  std::map<std::string, std::uint64_t> taken_;  // names of files, and their tickets
};

}  // namespace iptrackd::pam

#endif
