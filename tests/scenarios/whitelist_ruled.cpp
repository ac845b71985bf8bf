#include "whitelist_ruled.h"

#include <sys/mman.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace iptrackd::scenario {

Ruled::Ruled(const Path &name, Begin begin)
    : daemon_{whitelist_daemon()}, whitelist_{daemon_}, path_{directory_.path() / name} {
  std::filesystem::permissions(directory(), std::filesystem::perms{0755});
  if (begin == Begin::without_file) {
    rule();
    return;
  }
  if (name.is_relative()) {
    const Path program = copy_of_oracle(directory(), "program");
    if (path_ != program) std::filesystem::create_symlink(program, path_);
  }
  check_control();
}

void Ruled::check_control() const {
  REQUIRE(outcome(path_) == Outcome::stored);
  rule();
  REQUIRE(outcome(path_) == Outcome::dropped);
}

void Ruled::rule(const Path &program) const {
  whitelist_.must({"add", program.string()});
  whitelist_.must({"add", "--exec", program.string()});
}

Outcome Ruled::outcome(const Path &program, const std::function<void()> &prepare,
                       std::optional<uid_t> user) const {
  Launch launch = deed_of(program);
  launch.prepare = prepare;
  launch.user = user;
  return outcome_of(daemon_.rows(), launch);
}

Fd Ruled::copy_in_memory() const {
  Fd copy{memfd_create("program", 0)};
  std::ifstream file{path_, std::ios::binary};
  const std::string content{std::istreambuf_iterator<char>{file}, {}};
  REQUIRE(write(copy.get(), content.data(), content.size()) == static_cast<ssize_t>(content.size()));
  return copy;
}

}  // namespace iptrackd::scenario
