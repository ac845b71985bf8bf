// UnixPair: two connected Unix sockets, over which descriptors are passed.
#ifndef IPTRACKD_TESTS_PROGRAMS_UNIX_PAIR_H
#define IPTRACKD_TESTS_PROGRAMS_UNIX_PAIR_H

#include <string>
#include <utility>
#include <vector>

#include "core/fd.h"

namespace iptrackd::oracle {

// After a fork the parent has one end and the child the other: what each calls decides which. Every failure
// ends the program.
class UnixPair {
 public:
  UnixPair();

  // By the sender: TEXT, which may be empty, with DESCRIPTORS, which stay open here.
  void send(const std::string &text, const std::vector<int> &descriptors) const;
  // By the receiver: one message with its first descriptor.
  [[nodiscard]] std::pair<std::string, Fd> receive();
  // By the receiver: returns when the sender has closed.
  void wait_for_end();
  // Both ends, as far as this process holds them.
  void close();
  [[nodiscard]] int receiver() const { return receiver_.get(); }

 private:
  Fd sender_, receiver_;
};

}  // namespace iptrackd::oracle

#endif
