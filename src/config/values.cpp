#include "config/values.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <numeric>
#include <span>
#include <system_error>
#include <utility>

namespace iptrackd::config {
namespace {

using Integer = std::int64_t;
constexpr Integer integer_max = std::numeric_limits<Integer>::max();
constexpr Integer integer_min = std::numeric_limits<Integer>::min();

struct Unit {
  std::string_view name;
  Integer factor;
};

constexpr std::array<Unit, 9> size_units{{{"T", Integer{1} << 40},
                                          {"TiB", Integer{1} << 40},
                                          {"G", Integer{1} << 30},
                                          {"GiB", Integer{1} << 30},
                                          {"M", Integer{1} << 20},
                                          {"MiB", Integer{1} << 20},
                                          {"K", Integer{1} << 10},
                                          {"KiB", Integer{1} << 10},
                                          {"B", 1}}};

constexpr std::array<Unit, 5> duration_units{
    {{"d", 86'400'000}, {"h", 3'600'000}, {"min", 60'000}, {"s", 1000}, {"ms", 1}}};

struct Prefix {
  Integer number;
  std::string_view rest;
};

std::optional<Prefix> leading_integer(std::string_view text) {
  Integer number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return std::nullopt;
  if (error == std::errc::result_out_of_range) number = text.front() == '-' ? integer_min : integer_max;
  return Prefix{number, text.substr(static_cast<std::size_t>(end - text.data()))};
}

Integer saturating_product(Integer number, Integer factor) {
  Integer product = 0;
  if (!__builtin_mul_overflow(number, factor, &product)) return product;
  return number < 0 ? integer_min : integer_max;
}

std::optional<Integer> with_unit(std::string_view text, std::span<const Unit> units) {
  const auto prefix = leading_integer(text);
  if (!prefix) return std::nullopt;
  const auto *unit = std::find_if(units.data(), units.data() + units.size(),
                                  [&](const Unit &candidate) { return candidate.name == prefix->rest; });
  if (unit == units.data() + units.size()) return std::nullopt;
  return saturating_product(prefix->number, unit->factor);
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, substituted}));
    }
  }
  return row.back();
}

}  // namespace

std::optional<std::int64_t> parse_integer(std::string_view text) {
  const auto prefix = leading_integer(text);
  if (!prefix || !prefix->rest.empty()) return std::nullopt;
  return prefix->number;
}

std::optional<std::int64_t> parse_size(std::string_view text) {
  if (const auto bytes = parse_integer(text)) return bytes;
  return with_unit(text, size_units);
}

std::optional<std::chrono::milliseconds> parse_duration(std::string_view text) {
  const auto milliseconds = with_unit(text, duration_units);
  if (!milliseconds) return std::nullopt;
  return std::chrono::milliseconds{*milliseconds};
}

std::optional<std::uint32_t> parse_mask(std::string_view text) {
  const bool hexadecimal = text.starts_with("0x") || text.starts_with("0X");
  if (hexadecimal) text.remove_prefix(2);
  std::uint32_t mask = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), mask, hexadecimal ? 16 : 10);
  if (error != std::errc{} || end != text.data() + text.size() || mask > 0xffff) return std::nullopt;
  return mask;
}

std::string format_size(std::int64_t bytes) {
  for (const auto &unit : size_units) {
    if (unit.name.size() == 3 && bytes >= unit.factor && bytes % unit.factor == 0)
      return std::to_string(bytes / unit.factor) + std::string{unit.name};
  }
  return std::to_string(bytes);
}

std::string format_duration(std::chrono::milliseconds duration) {
  for (const auto &unit : duration_units) {
    if (duration.count() >= unit.factor && duration.count() % unit.factor == 0)
      return std::to_string(duration.count() / unit.factor) + std::string{unit.name};
  }
  return std::to_string(duration.count()) + "ms";
}

std::string printable(std::string_view text) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string out;
  for (const char character : text) {
    const auto byte = static_cast<unsigned char>(character);
    if (byte >= 0x20 && byte < 0x7f) {
      out += character;
    } else {
      out += "\\x";
      out += digits[byte >> 4U];
      out += digits[byte & 0xfU];
    }
  }
  return out;
}

std::string in_quotes(std::string_view text) {
  constexpr std::size_t shown = 60;
  return '\'' + printable(text.substr(0, shown)) + (text.size() > shown ? "...'" : "'");
}

std::string_view nearest(std::string_view text, const std::vector<std::string_view> &names) {
  constexpr std::size_t longest_key =
      64;  // no key is near to a longer text, and the cost is a product of lengths
  if (text.size() > longest_key) return {};
  std::string_view best;
  std::size_t best_distance = std::max<std::size_t>(text.size() / 3, 1) + 1;
  for (const auto name : names) {
    const auto distance = edit_distance(text, name);
    if (distance < best_distance) {
      best = name;
      best_distance = distance;
    }
  }
  return best;
}

}  // namespace iptrackd::config
