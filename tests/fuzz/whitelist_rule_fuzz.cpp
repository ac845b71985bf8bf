// A rule of the whitelist as somebody wrote it, and one as somebody put it into the kernel's maps.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "core/rule_laws.h"
#include "core/whitelist_rule.h"
#include "fuzz/demand.h"

namespace {

using namespace iptrackd;

void demand_law(std::string_view broken) {
  fuzz::demand(broken.empty(), broken.data());  // the laws are string literals
}

// Takes the front of BYTES, zeros behind where it is shorter.
template <typename Struct>
Struct take(std::string_view &bytes) {
  Struct out{};
  const auto size = std::min(bytes.size(), sizeof(out));
  std::memcpy(&out, bytes.data(), size);
  bytes.remove_prefix(size);
  return out;
}

void read_text(RuleList list, std::string_view text) {
  demand_law(test::broken_law_of_text(list, text));
  demand_law(test::broken_law_of_pieces(list, text));
}

void read_network_rule(std::string_view bytes) {
  const auto rule = take<iptrackd_network_rule>(bytes);
  auto question = take<iptrackd_network_question>(bytes);
  test::make_askable(question);
  demand_law(test::broken_law_of_kernel(bytes, rule, question));
  demand_law(test::broken_law_of_kernel("/a", rule, question));
}

void read_exec_rule(std::string_view bytes) {
  const auto rule = take<iptrackd_exec_rule>(bytes);
  const auto question = take<iptrackd_exec_question>(bytes);
  demand_law(test::broken_law_of_kernel(bytes, rule, question));
  demand_law(test::broken_law_of_kernel("/a", rule, question));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t *data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view rest{reinterpret_cast<const char *>(data) + 1, size - 1};
  switch (data[0]) {
    case 'x':
      read_text(RuleList::exec, rest);
      break;
    case 'N':
      read_network_rule(rest);
      break;
    case 'X':
      read_exec_rule(rest);
      break;
    default:
      read_text(RuleList::network, rest);
  }
  return 0;
}
