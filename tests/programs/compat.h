// The calls of a 64-bit program that enters the kernel by the doors for other programs.
#ifndef IPTRACKD_TESTS_PROGRAMS_COMPAT_H
#define IPTRACKD_TESTS_PROGRAMS_COMPAT_H

#include <memory>

#include "ways.h"

namespace iptrackd::oracle {

// int $0x80 with the 32-bit numbers of connect, bind, accept4 and close.
[[nodiscard]] std::unique_ptr<Calls> int80_calls();
// int $0x80 with the one number that all calls of a socket once had; close is a call of its own there.
[[nodiscard]] std::unique_ptr<Calls> socketcall_calls();
// 64-bit calls with the bit that marks a program with 32-bit pointers.
[[nodiscard]] std::unique_ptr<Calls> x32_calls();

}  // namespace iptrackd::oracle

#endif
