#include "app/check_whitelist.h"

#include <fmt/core.h>
#include <sys/stat.h>

#include <array>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include "core/whitelist_rule.h"

namespace iptrackd::app {
namespace {

namespace fs = std::filesystem;

std::set<std::string> programs_of(const std::vector<config::Rule> &rules, RuleList list) {
  std::set<std::string> programs;
  for (const auto &text : rules) {
    if (const auto rule = WhitelistRule::parse(list, text.text)) programs.insert(rule->program);
  }
  programs.erase("*");
  return programs;
}

// From OpenSSH 9.8 on sshd only listens; what accepts the login is a program of its own.
void check_sshd(const std::string &program, const std::set<std::string> &ruled, Findings &findings) {
  const fs::path path{program};
  if (path.filename() != "sshd") return;
  const fs::path prefix = path.parent_path().parent_path();
  for (const char *place : {"lib/openssh", "libexec/openssh", "libexec", "lib/ssh"}) {
    const std::string session = prefix / place / "sshd-session";
    std::error_code error;
    if (!fs::exists(session, error) || ruled.contains(session)) continue;
    findings.note("whitelist",
                  fmt::format("{} leaves each connection to {}, which has no rule", program, session));
  }
}

// Whoever can put another file in its place has the rule for himself.
bool is_roots_alone(const fs::path &path) {
  for (fs::path part = path;; part = part.parent_path()) {
    struct stat status {};
    if (stat(part.c_str(), &status) != 0) return true;
    const bool is_shared = S_ISDIR(status.st_mode) && (status.st_mode & S_ISVTX) != 0;
    if (status.st_uid != 0 || ((status.st_mode & S_IWOTH) != 0 && !is_shared)) return false;
    if (part == part.root_path()) return true;
  }
}

void check_program(const std::string &program, Findings &findings) {
  struct stat status {};
  if (stat(program.c_str(), &status) != 0) {
    return findings.note("whitelist", fmt::format("{} does not exist; its rules wait for it", program));
  }
  if (!S_ISREG(status.st_mode))
    return findings.note("whitelist", program + " is no file; its rules mean nothing");
  if (!is_roots_alone(program)) {
    findings.note("whitelist", program + " can be changed by others than root, who then are not recorded");
  }
  std::array<char, 2> begin{};
  std::ifstream{program}.read(begin.data(), begin.size());
  if (begin == std::array{'#', '!'}) {
    findings.note("whitelist",
                  program + " is a script: what the kernel executes, and rules mean, is its interpreter");
  }
}

}  // namespace

std::string count_of(const config::Whitelist &whitelist) {
  return fmt::format("{} network rules, {} exec rules", whitelist.network.size(), whitelist.exec.size());
}

void check_whitelist(const config::Whitelist &whitelist, Findings &findings) {
  const auto network = programs_of(whitelist.network, RuleList::network);
  auto all = programs_of(whitelist.exec, RuleList::exec);
  for (const auto &program : network) check_sshd(program, network, findings);
  all.insert(network.begin(), network.end());
  for (const auto &program : all) check_program(program, findings);
  findings.good("whitelist", count_of(whitelist));
}

}  // namespace iptrackd::app
