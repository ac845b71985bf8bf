// Files: gets the bytes of a configuration file, and the list of its drop-ins.
#ifndef IPTRACKD_CONFIG_FILES_H
#define IPTRACKD_CONFIG_FILES_H

#include <sys/types.h>

#include <string>
#include <vector>

#include "core/result.h"

namespace iptrackd::config {

struct FileContent {
  std::string text;
  mode_t mode = 0;  // st_mode of the very file that was read
};

// Reads the regular file PATH of at most file_bytes_max bytes. Never blocks on a FIFO. Fault::usage, with the
// message "PATH:1:1: ...".
[[nodiscard]] Result<FileContent> read_file(const std::string &path);

// The paths of FILE.d/*.yml in lexical order of their names' bytes; hidden files are left out. Where FILE is
// DEFAULT_FILE, the one that nobody has to name, those of its second directory (/etc/iptrackd.d of
// /etc/iptrackd.yml) too, in one order with the others; of two that have the same name that of FILE.d is
// last. No such directory: none.
[[nodiscard]] Result<std::vector<std::string>> list_drop_ins(const std::string &file,
                                                             const std::string &default_file);

}  // namespace iptrackd::config

#endif
