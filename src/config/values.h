// The small notations that values are written in: sizes, durations, numbers; and what error messages need to
// speak about them. Pure functions; nullopt means that TEXT is not written in this notation.
#ifndef IPTRACKD_CONFIG_VALUES_H
#define IPTRACKD_CONFIG_VALUES_H

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace iptrackd::config {

// Decimal, an optional minus in front. A number beyond the type is the type's bound, so that a range check
// refuses it.
[[nodiscard]] std::optional<std::int64_t> parse_integer(std::string_view text);

// Bytes: "16777216", "16M", "16MiB"; K, M, G, T are powers of 1024. "16MB" is refused, as people read it two
// ways.
[[nodiscard]] std::optional<std::int64_t> parse_size(std::string_view text);

// "250ms", "30s", "15min", "1h", "7d"; a leading minus is understood, so that a range check can speak of it.
[[nodiscard]] std::optional<std::chrono::milliseconds> parse_duration(std::string_view text);

// The seed's bit mask, decimal or 0x hexadecimal, 0 to 0xffff.
[[nodiscard]] std::optional<std::uint32_t> parse_mask(std::string_view text);

// BYTES with the largest unit that divides it: 16777216 is "16MiB".
[[nodiscard]] std::string format_size(std::int64_t bytes);
// The same for durations: 900000 ms is "15min".
[[nodiscard]] std::string format_duration(std::chrono::milliseconds duration);

// TEXT in single quotes, fit for one line of a terminal: cut after 60 bytes, everything but printable ASCII
// escaped.
[[nodiscard]] std::string in_quotes(std::string_view text);
// The same escapes, neither cut nor quoted.
[[nodiscard]] std::string printable(std::string_view text);

// The one of NAMES that TEXT was probably meant to be; empty when none is close.
[[nodiscard]] std::string_view nearest(std::string_view text, const std::vector<std::string_view> &names);

}  // namespace iptrackd::config

#endif
