// Ruled: a program with rules that drop all that it does, for what a rule means where files move about.
#ifndef IPTRACKD_TESTS_SCENARIOS_WHITELIST_RULED_H
#define IPTRACKD_TESTS_SCENARIOS_WHITELIST_RULED_H

#include <functional>
#include <optional>
#include <string>

#include "mounts.h"
#include "whitelist.h"

namespace iptrackd::scenario {

class Ruled {
 public:
  enum class Begin { with_file, without_file };
  // The rules are for NAME in a directory of its own, where the file `program` stands: another NAME is a
  // symbolic link to it. An absolute NAME is a program elsewhere. The control is part of it: without the
  // rules the program is stored, with them dropped.
  explicit Ruled(const Path &name = "program", Begin begin = Begin::with_file);

  [[nodiscard]] const Path &path() const { return path_; }
  [[nodiscard]] const Path &directory() const { return directory_.path(); }
  [[nodiscard]] const Whitelist &whitelist() const { return whitelist_; }
  [[nodiscard]] Rows &rows() const { return daemon_.rows(); }
  void rule() const { rule(path_); }
  void rule(const Path &program) const;
  void take_rules_out() const { whitelist_.must({"clear"}); }

  // Of PROGRAM, wherever it lies. PREPARE is called in the new process, before USER takes effect.
  [[nodiscard]] Outcome outcome(const Path &program, const std::function<void()> &prepare = {},
                                std::optional<uid_t> user = {}) const;
  // A file without a name that holds the program.
  [[nodiscard]] Fd copy_in_memory() const;

 private:
  void check_control() const;

  Daemon &daemon_;
  Whitelist whitelist_;
  TemporaryDirectory directory_;
  Path path_;
};

}  // namespace iptrackd::scenario

#endif
