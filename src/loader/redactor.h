// Redactor: takes the secrets out of an exec's arguments before the event goes anywhere.
//
// A pattern sees argv as lines, one argument a line: ^ and $ are the ends of an argument, `.` stays within
// one, and \n stands between two, so that "-psecret" is ^-p(.+)$ and "-p secret" is ^-p\n(.+)$. A newline
// within an argument is shown to patterns as a carriage return.
//
// What the pattern's groups match is replaced by "***", or the whole match where it has no group; the
// boundaries of arguments stay. The number of stars says nothing about the secret's length.
//
// The rules of a program apply to all of argv where the executable (Event::exe) is that program; and
// otherwise from the first argument that names it, argv[0] included: `sudo mysql -psecret` is an exec of
// sudo, and argv[0] can lie.
#ifndef IPTRACKD_LOADER_REDACTOR_H
#define IPTRACKD_LOADER_REDACTOR_H

#include <memory>
#include <span>
#include <string>

#include "core/event.h"
#include "core/result.h"

namespace iptrackd::loader {

class Redactor {
 public:
  struct Rule {
    std::string exe;      // basename, absolute path, or "*" for every program
    std::string pattern;  // RE2 syntax, bytes; flags such as (?i) may stand in front
    std::string where;    // for messages: where the rule stands, "FILE:LINE:COLUMN"
  };

  // Fault::usage where a pattern or a program's name is bad, one line a rule: "WHERE: what is wrong; ...".
  [[nodiscard]] static Result<Redactor> create(std::span<const Rule> rules);

  Redactor(const Redactor &) = delete;
  Redactor &operator=(const Redactor &) = delete;
  Redactor(Redactor &&) noexcept;
  Redactor &operator=(Redactor &&) noexcept;
  ~Redactor();

  // Replaces the secrets in EVENT.args and sets Mark::redacted; returns whether there were any. Takes time
  // linear in the size of args for each match, whatever the bytes. Thread-safe.
  bool apply(Event &event) const;

 private:
  struct Patterns;
  explicit Redactor(std::unique_ptr<const Patterns> patterns);

  std::unique_ptr<const Patterns> patterns_;
};

}  // namespace iptrackd::loader

#endif
