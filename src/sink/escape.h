// The notation for bytes that a database's text cannot hold, the same in every driver:
//
//   a byte that is no part of valid UTF-8, and NUL   ->  \xHH, two lower-case hexadecimal digits
//   a backslash before xHH (digits of either case)   ->  \x5c
//   everything else                                  ->  itself
//
// It is reversible: replacing each \xHH by its byte gives the original back. UTF-8 is what PostgreSQL
// accepts: no surrogates, no overlong forms, nothing above U+10FFFF.
#ifndef IPTRACKD_SINK_ESCAPE_H
#define IPTRACKD_SINK_ESCAPE_H

#include <string>
#include <string_view>

namespace iptrackd::sink {

// Appends BYTES in that notation to OUT; what is appended is valid UTF-8 without NUL.
void append_escaped(std::string &out, std::string_view bytes);

[[nodiscard]] std::string escaped(std::string_view bytes);

}  // namespace iptrackd::sink

#endif
