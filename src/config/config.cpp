#include "config/config.h"

#include "config/values.h"

namespace iptrackd::config {

std::string Position::to_string() const {
  if (line == 0) return "built-in";
  return printable(file) + ':' + std::to_string(line) + ':' + std::to_string(column);
}

}  // namespace iptrackd::config
