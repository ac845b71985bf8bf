// The database schema's history: schema/NNNN-name.sql, built into the program.
#ifndef IPTRACKD_SINK_MIGRATIONS_H
#define IPTRACKD_SINK_MIGRATIONS_H

#include <span>
#include <string_view>

namespace iptrackd::sink {

struct Migration {
  int version;            // the version that the schema has afterwards; the first is 1, without gaps
  std::string_view name;  // the file's name without its ending
  std::string_view sql;   // @schema@ stands for the quoted name of the schema
};

// In the order of their versions; never empty.
[[nodiscard]] std::span<const Migration> migrations() noexcept;

}  // namespace iptrackd::sink

#endif
