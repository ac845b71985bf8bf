#include "sink/postgresql.h"

#include "sink/escape.h"

namespace iptrackd::sink {
namespace {

constexpr std::size_t longest_name = 63;  // NAMEDATALEN - 1; the server would cut a longer one

}  // namespace

Result<std::string> quoted_schema(std::string_view name) {
  std::string quoted{'"'};
  for (const char c : name) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  quoted += '"';
  if (name.empty() || name.size() > longest_name) {
    return fail(Fault::usage, "the schema's name is empty or too long; 1 to 63 bytes would be right");
  }
  // A backslash is legal in a name, even one that escaping would change; only what UTF-8 refuses matters
  // here.
  std::string without_backslash{name};
  for (char &c : without_backslash) {
    if (c == '\\') c = '/';
  }
  if (escaped(without_backslash) != without_backslash) {
    return fail(Fault::usage, "the schema's name is not valid UTF-8 text");
  }
  if (name.starts_with("pg_"))
    return fail(Fault::usage, "PostgreSQL keeps schema names that begin with pg_ for itself");
  return quoted;
}

// standard_conforming_strings has been on by default since PostgreSQL 9.1; a backslash would still depend on
// it, so that the E form is used.
std::string sql_literal(std::string_view text) {
  std::string out{"E'"};
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out + '\'';
}

}  // namespace iptrackd::sink
