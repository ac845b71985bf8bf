// What the whitelist would say to a deed, and how bpftool would enter a rule.
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "loader/whitelist.h"

namespace iptrackd::loader {
namespace {

// Verdicts of bpf/whitelist.h.
constexpr std::uint32_t verdict_drop = 0x100;
constexpr std::uint32_t verdict_key = 0xff;  // which rule
constexpr std::uint32_t verdict_any_program = 0x80;

iptrackd_network_question network_question(const Deed &deed, const iptrackd_program &program) {
  iptrackd_network_question question{};
  question.program = program;
  question.uid = deed.uid;
  question.kind = static_cast<std::uint8_t>(deed.kind);
  question.service_port = deed.service_port;
  question.remote_port = deed.remote_port;
  question.local_port = deed.local_port;
  if (!deed.remote) return question;
  question.family = deed.remote->family == Address::Family::ipv4 ? AF_INET : AF_INET6;
  std::copy(deed.remote->bytes.begin(), deed.remote->bytes.end(), question.remote);
  return question;
}

iptrackd_exec_question exec_question(const Deed &deed, const iptrackd_program &program) {
  iptrackd_exec_question question{};
  question.program = program;
  question.uid = deed.uid;
  question.euid = deed.euid;
  std::string arguments;
  for (const auto &argument : deed.arguments) arguments.append(argument).push_back('\0');
  question.arguments_size =
      static_cast<std::uint32_t>(arguments.copy(question.arguments, sizeof(question.arguments)));
  return question;
}

int unmet(const iptrackd_network_rule &rule, const iptrackd_network_question &question) {
  return iptrackd_network_rule_unmet(&rule, &question);
}
int unmet(const iptrackd_exec_rule &rule, const iptrackd_exec_question &question) {
  return iptrackd_exec_rule_unmet(&rule, &question);
}

std::string hexadecimal(const void *bytes, std::size_t size) {
  constexpr const char *digits = "0123456789abcdef";
  std::string text;
  for (std::size_t at = 0; at < size; ++at) {
    const auto byte = static_cast<const std::uint8_t *>(bytes)[at];
    text += {' ', digits[byte >> 4U], digits[byte & 15U]};
  }
  return text;
}

template <typename Key, typename Value>
std::string update_command(const std::string &map, const Key &key, const Value &value) {
  return "bpftool map update pinned " + map + " key hex" + hexadecimal(&key, sizeof(key)) + " value hex" +
         hexadecimal(&value, sizeof(value));
}

// The rules of one list for PROGRAM, in the order in which the hooks try them, up to the first that matches.
// Says which that is, as the kernel's verdict does.
template <typename Rules, typename Question>
std::uint32_t consider(const WhitelistContent &content, const Rules &rules,
                       __u64 iptrackd_program_rules::*member, const iptrackd_program &program,
                       const Question &question, Verdict &verdict) {
  const auto found = content.programs.find(program);
  if (found == content.programs.end()) return 0;
  const bool is_any = std::memcmp(&program, &any_program, sizeof(program)) == 0;
  const auto &path = found->second.path;
  const std::string name = is_any ? "*" : std::string{path, strnlen(path, sizeof(path))};
  for (std::uint32_t number = 0; number < IPTRACKD_PROGRAM_RULES_MAX; ++number) {
    const auto rule = rules.find(iptrackd_rule_key{program, number, 0});
    if ((found->second.*member >> number & 1U) == 0 || rule == rules.end()) continue;
    verdict.rules.push_back({rule_text(name, rule->second), unmet(rule->second, question)});
    if (verdict.rules.back().unmet == 0) return verdict_drop | number;
  }
  return 0;
}

template <typename Rules, typename Question>
Verdict judge_here(const WhitelistContent &content, const Rules &rules, __u64 iptrackd_program_rules::*member,
                   const iptrackd_program &program, const Question &question, std::uint32_t &key) {
  Verdict verdict;
  key = consider(content, rules, member, program, question, verdict);
  const bool is_known = std::memcmp(&program, &any_program, sizeof(program)) != 0;
  if (key == 0 && is_known) {
    key = consider(content, rules, member, any_program, question, verdict);
    if (key != 0) key |= verdict_any_program;
  }
  verdict.dropped = key != 0;
  return verdict;
}

// Does the kernel's verdict name the same rule?
bool agrees(std::uint32_t kernel, std::uint32_t here) {
  constexpr std::uint32_t wanted = verdict_drop | verdict_key;
  return (kernel & verdict_drop) == 0 ? here == 0 : (kernel & wanted) == here;
}

}  // namespace

Result<Verdict> Whitelist::judge(const Deed &deed, const iptrackd_program &program) {
  const WhitelistContent &content = in_force_.content;
  std::uint32_t here = 0;
  Verdict verdict;
  Result<std::uint32_t> kernel = 0U;
  if (deed.kind == Kind::exec) {
    const auto question = exec_question(deed, program);
    verdict = judge_here(content, content.exec, &iptrackd_program_rules::exec, program, question, here);
    kernel = maps_.judge(question);
  } else {
    const auto question = network_question(deed, program);
    verdict = judge_here(content, content.network, &iptrackd_program_rules::network, program, question, here);
    kernel = maps_.judge(question);
  }
  if (!kernel) return tl::unexpected{kernel.error()};
  if (agrees(*kernel, here)) return verdict;
  return fail(Fault::environment, "the kernel's verdict differs from what its maps hold");
}

Result<Verdict> Whitelist::test(const Deed &deed) {
  const std::lock_guard lock{mutex_};
  // A program that does not exist has no rules but those for any program.
  const auto found = find(deed.exe);
  if (!found) return tl::unexpected{found.error()};
  const iptrackd_program program = found->value_or(any_program);
  auto verdict = judge(deed, program);
  if (verdict) return verdict;
  // Somebody may have written into the maps since we looked.
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  return judge(deed, program);
}

Result<std::vector<std::string>> Whitelist::encode(const std::vector<WhitelistRule> &rules) {
  const std::lock_guard lock{mutex_};
  if (maps_.pins().empty()) return fail(Fault::environment, "nothing is pinned here for bpftool to write to");
  if (auto taken = take_in_maps(); !taken) return tl::unexpected{taken.error()};
  Entries entries = entries_;
  WhitelistFiles files = files_;
  for (const auto &rule : rules) {
    entries.push_back({rule});
    if (rule.program == "*") continue;
    const auto file = find(rule.program);
    if (!file) return tl::unexpected{file.error()};
    if (!*file) {
      return fail(Fault::usage,
                  "there is no program " + rule.program +
                      "; bpftool can only name a file that exists (`iptrackd whitelist add` can wait)");
    }
    files[rule.program] = {**file};
  }
  const auto layout = lay_out(entries, files, in_force_);
  std::vector<std::string> commands;
  for (const auto &rule : rules) {
    const bool is_network = rule.list == RuleList::network;
    const std::string id = WhitelistEntry{rule}.id();
    for (const auto &[key, owner] : is_network ? layout.network : layout.exec) {
      if (owner != id) continue;
      commands.push_back(is_network ? update_command(maps_.pins() + "/whitelist_network", key, rule.network)
                                    : update_command(maps_.pins() + "/whitelist_exec", key, rule.exec));
      commands.push_back(update_command(maps_.pins() + "/whitelist_programs", key.program,
                                        layout.content.programs.at(key.program)));
    }
  }
  return commands;
}

}  // namespace iptrackd::loader
