#include "sink/pg_error.h"

#include <algorithm>
#include <array>
#include <cstdint>

namespace iptrackd::sink {
namespace {

constexpr std::array<std::string_view, 8> passing_classes{"08", "57", "53", "58", "40", "25", "28", "55"};
constexpr std::array<std::string_view, 5> data_classes{"22", "23", "54", "44", "P0"};

bool contains(const auto &classes, std::string_view sqlstate) {
  return std::find(classes.begin(), classes.end(), sqlstate.substr(0, 2)) != classes.end();
}

}  // namespace

Fault fault_of_sqlstate(std::string_view sqlstate) noexcept {
  if (sqlstate == "IT001") return Fault::moved;
  if (sqlstate.empty() || sqlstate == "3D000" || contains(passing_classes, sqlstate))
    return Fault::connection;
  if (contains(data_classes, sqlstate)) return Fault::rejected;
  return Fault::environment;
}

std::string one_line(std::string_view message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == ' ')) message.remove_suffix(1);
  std::string out;
  for (const char c : message) {
    const auto byte = static_cast<std::uint8_t>(c);
    if (c == '\n') {
      out += "; ";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += ' ';
    } else {
      out += c;
    }
  }
  return out;
}

}  // namespace iptrackd::sink
