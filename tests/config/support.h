// A directory of files that goes away with the test.
#ifndef IPTRACKD_TESTS_CONFIG_SUPPORT_H
#define IPTRACKD_TESTS_CONFIG_SUPPORT_H

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <string>
#include <string_view>

#include "config/load.h"

namespace iptrackd::config::test {

class Directory {
 public:
  Directory() {
    std::string name = (std::filesystem::temp_directory_path() / "iptrackd-config-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr) throw std::runtime_error{"mkdtemp"};
    path_ = name;
  }
  ~Directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Directory(const Directory &) = delete;
  Directory &operator=(const Directory &) = delete;

  // Returns the file's path.
  std::string write(const std::string &name, std::string_view text, mode_t mode = 0600) const {
    const auto file = path_ / name;
    std::filesystem::create_directories(file.parent_path());
    std::ofstream{file, std::ios::binary} << text;
    ::chmod(file.c_str(), mode);
    return file.string();
  }
  [[nodiscard]] std::string file(const std::string &name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

// The error message of loading TEXT, without the directory: "c.yml:1:1: ..."; empty where it loads.
inline std::string error_of(std::string_view text) {
  const Directory directory;
  const auto config = load(directory.write("c.yml", text));
  if (config) return {};
  std::string message = config.error().message();
  const std::string prefix = directory.file("");
  for (auto at = message.find(prefix); at != std::string::npos; at = message.find(prefix))
    message.erase(at, prefix.size());
  return message;
}

// TEXT loaded; throws where it does not.
inline Config loaded(std::string_view text) {
  const Directory directory;
  auto config = load(directory.write("c.yml", text));
  if (!config) throw std::runtime_error{config.error().message()};
  return *config;
}

}  // namespace iptrackd::config::test

#endif
