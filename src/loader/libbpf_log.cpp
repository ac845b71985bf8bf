#include "loader/libbpf_log.h"

#include <bpf/libbpf.h>

#include <array>
#include <cstdio>
#include <string_view>
#include <utility>
#include <vector>

namespace iptrackd::loader {
namespace {

constexpr std::size_t kept_warnings = 8;

std::vector<std::string> &warnings() {
  thread_local std::vector<std::string> lines;
  return lines;
}

// The verifier's log comes as one warning of many lines; its conclusion is the last line but for the
// statistics.
std::string conclusion(std::string text) {
  while (!text.empty()) {
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    const auto begin = text.rfind('\n');
    std::string line = begin == std::string::npos ? text : text.substr(begin + 1);
    const bool noise = line.starts_with("processed ") || line.starts_with("-- END") ||
                       line.starts_with("stack depth") || line.starts_with("verification time");
    if (!noise || begin == std::string::npos) return line;
    text.resize(begin);
  }
  return text;
}

int keep(libbpf_print_level level, const char *format, va_list arguments) {
  if (level != LIBBPF_WARN) return 0;
  std::array<char, 4096> line{};
  const int size = std::vsnprintf(line.data(), line.size(), format, arguments);
  if (size > 0 && warnings().size() < kept_warnings) warnings().push_back(conclusion(line.data()));
  return 0;
}

}  // namespace

void libbpf_log_install() noexcept {
  libbpf_set_print(keep);
  libbpf_set_strict_mode(LIBBPF_STRICT_ALL);
}

std::string libbpf_log_take() {
  constexpr std::string_view prefix = "libbpf: ";
  const auto lines = std::exchange(warnings(), {});
  std::string reason;
  for (const std::string_view line : lines) {
    const auto text = line.starts_with(prefix) ? line.substr(prefix.size()) : line;
    // What follows the cause says only that the program, and then the object, is therefore not loaded; or it
    // guesses at a limit of memory, which has nothing to do with programs.
    if (!reason.empty() && text.find("failed to") != std::string_view::npos) continue;
    if (text.starts_with("permission error while running as root")) continue;
    if (!reason.empty()) reason += "; ";
    reason += text;
  }
  return reason;
}

}  // namespace iptrackd::loader
