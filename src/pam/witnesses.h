// Witnesses: what the kernel side saw of the PAM callback, held against the records that came from it. A
// record whose callback nobody saw is marked; a callback whose record does not come, as the daemon that had
// read it died, is rebuilt from what was seen.
//
//   exec of the callback, with its environment ──┐
//                                                ├─ same pid: vouched
//   record from the FIFO, or left beside it ─────┘
//
// A daemon that starts shows it first what its spool holds of both. Not thread-safe.
#ifndef IPTRACKD_PAM_WITNESSES_H
#define IPTRACKD_PAM_WITNESSES_H

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>

#include "core/event.h"

namespace iptrackd::pam {

class Witnesses {
 public:
  struct Options {
    // A record comes within milliseconds; one that its callback left in a file, with the next look there.
    std::chrono::nanoseconds patience{std::chrono::seconds{5}};
    // How long it is remembered that a record was stored: no callback waits for longer (callback/options.c).
    std::chrono::nanoseconds memory{std::chrono::hours{1}};
    // When the kernel side began to watch, CLOCK_BOOTTIME; a record from before cannot have a witness. None:
    // it does not watch execs.
    std::optional<std::uint64_t> watched_since;
  };
  explicit Witnesses(Options options) : options_{options} {}

  // The callback's exec, with its environment.
  void saw(const Event &exec);
  // A record. False: it is stored already, rebuilt or as itself, and must not be stored again. One that
  // should have had a witness and has none is marked `unvouched`.
  [[nodiscard]] bool admit(Event &record);
  // A record that is stored: admitted, or found in the spool.
  void stored(const Event &record);

  // Calls REBUILT with a record for each witness that has waited for longer than the patience at NOW, and
  // forgets what is older than the memory.
  void look(std::uint64_t now_boot_ns, const std::function<void(Event &)> &rebuilt);

 private:
  struct Call {
    std::optional<Event> exec;                    // the witness, until its record is stored
    std::optional<std::uint64_t> stored_boot_ns;  // of the record
    bool rebuilt = false;                         // that record was
    std::uint64_t last_ns = 0;                    // when something was heard of it
  };
  Options options_;
  std::map<std::int32_t, Call> calls_;  // by the callback's pid
};

}  // namespace iptrackd::pam

#endif
