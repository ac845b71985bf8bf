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

// The paths of FILE.d/*.yml in lexical order of their bytes; hidden files are left out. No such directory:
// none.
[[nodiscard]] Result<std::vector<std::string>> list_drop_ins(const std::string &file);

}  // namespace iptrackd::config

#endif
