#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>

#include "deeds.h"
#include "exec_ways.h"

namespace iptrackd::oracle {
namespace {

// What exec was asked for is all that a failed one leaves behind: no arguments, no file.
void fail_to_exec(const Options &options, Report &report) {
  const std::string name = options.text("name", "/nonexistent/program");
  std::string argument(options.number("argument", 3), 'x');
  std::array<char *, 3> arguments{const_cast<char *>("never"), argument.data(), nullptr};
  Span span{now(), {}};
  execv(name.c_str(), arguments.data());
  const int result = -errno;
  span.to = now();
  Json facts = row("exec", span, result);
  facts["exe"] = shown(name);
  facts["exe_dev"] = nullptr;
  facts["exe_inode"] = nullptr;
  facts["cwd"] = shown(std::filesystem::current_path().native());
  report.add(std::move(facts));
}

}  // namespace

void exec_deed(const Options &options, Report &report) {
  if (options.is("how", "fail")) return fail_to_exec(options, report);
  if (exec_in_a_way(options, report)) return;
  Child::becoming([] {
    const std::string path = own_path();
    execl(path.c_str(), path.c_str(), "self", nullptr);
  }).wait(report);
}

void all_deeds(const Options &options, Report &report) {
  connect_deed(options, report);
  exec_deed(options, report);
}

}  // namespace iptrackd::oracle
