// What the tests of the PAM room share: records to order, a directory that goes away, and the callback run as
// pam_exec runs it.
#ifndef IPTRACKD_TESTS_PAM_SUPPORT_H
#define IPTRACKD_TESTS_PAM_SUPPORT_H

#include <fcntl.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "iptrackd/pam_record.h"
#include "pam/parser.h"

namespace iptrackd::pam::testing {

// Only root may own a FIFO that the callback trusts.
inline const bool not_root = geteuid() != 0;

using ByteVector = std::vector<std::uint8_t>;

inline std::string_view as_text(Bytes bytes) {
  return {reinterpret_cast<const char *>(bytes.data()), bytes.size()};
}

// A record to order; bytes() seals it with size and checksum.
struct RecordBuilder {
  iptrackd_pam_header header{};
  std::array<std::optional<std::string>, IPTRACKD_PAM_FIELD_COUNT> fields;

  RecordBuilder() {
    std::memcpy(header.magic, IPTRACKD_PAM_MAGIC, sizeof(header.magic));
    header.version = IPTRACKD_PAM_VERSION;
    header.type = IPTRACKD_PAM_OPEN_SESSION;
    header.boot_ns = 1000;
    header.real_ns = 1'700'000'000'123'456'789;
    header.loginuid = header.audit_session = IPTRACKD_PAM_UNKNOWN_ID;
    fields[IPTRACKD_PAM_FIELD_USER] = "alice";
    fields[IPTRACKD_PAM_FIELD_CONNECTION] = "192.0.2.7 50123 198.51.100.1 22";
  }

  [[nodiscard]] ByteVector bytes() const {
    ByteVector result(sizeof(header));
    for (const auto &field : fields) {
      const auto length = static_cast<std::uint16_t>(field ? field->size() : IPTRACKD_PAM_UNKNOWN_LENGTH);
      const auto at = result.size();
      result.resize(at + sizeof(length));
      std::memcpy(result.data() + at, &length, sizeof(length));
      if (field) result.insert(result.end(), field->begin(), field->end());
    }
    auto sealed = header;
    sealed.size = static_cast<std::uint16_t>(result.size());
    std::memcpy(result.data(), &sealed, sizeof(sealed));
    seal(result);
    return result;
  }

  // Makes the checksum right again after a change.
  static void seal(ByteVector &record) {
    const auto crc =
        iptrackd_pam_crc(record.data() + IPTRACKD_PAM_CRC_BEGIN, record.size() - IPTRACKD_PAM_CRC_BEGIN);
    std::memcpy(record.data() + offsetof(iptrackd_pam_header, crc), &crc, sizeof(crc));
  }
};

class ScratchDirectory {
 public:
  ScratchDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "iptrackd-pam-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ScratchDirectory(const ScratchDirectory &) = delete;
  ScratchDirectory &operator=(const ScratchDirectory &) = delete;
  ~ScratchDirectory() { std::filesystem::remove_all(path_); }

  [[nodiscard]] std::string operator/(const std::string &name) const { return path_ + "/" + name; }
  [[nodiscard]] const std::string &path() const { return path_; }

 private:
  std::string path_;
};

inline std::size_t file_count(const std::string &directory) {
  std::error_code error;
  std::filesystem::directory_iterator files{directory, error};
  return error ? 0 : static_cast<std::size_t>(std::distance(begin(files), end(files)));
}

struct Run {
  int exit_code = -1;  // -1: ended by a signal
  double wall_ms = 0;
  double cpu_ms = 0;
};

inline std::vector<char *> pointers_to(std::vector<std::string> &strings) {
  std::vector<char *> pointers;
  pointers.reserve(strings.size() + 1);
  for (auto &text : strings) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// posix_spawn(), because what a fork() of the test costs would be on the callback's account.
inline pid_t start_callback(std::vector<std::string> arguments, std::vector<std::string> environment,
                            int output = -1, bool close_all = false) {
  arguments.insert(arguments.begin(), IPTRACKD_PAM_CALLBACK);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (output >= 0) {
    ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    ::posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO);
  }
  if (close_all) ::posix_spawn_file_actions_addclosefrom_np(&actions, 0);
  pid_t child = -1;
  const int error = ::posix_spawn(&child, IPTRACKD_PAM_CALLBACK, &actions, nullptr,
                                  pointers_to(arguments).data(), pointers_to(environment).data());
  ::posix_spawn_file_actions_destroy(&actions);
  return error == 0 ? child : -1;
}

inline double milliseconds(const timeval &time) {
  return static_cast<double>(time.tv_sec) * 1e3 + static_cast<double>(time.tv_usec) / 1e3;
}

inline Run wait_for(pid_t child) {
  int status = 0;
  rusage usage{};
  ::wait4(child, &status, 0, &usage);
  return {WIFEXITED(status) ? WEXITSTATUS(status) : -1, 0,
          milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)};
}

inline Run run_callback(const std::vector<std::string> &arguments,
                        const std::vector<std::string> &environment, int output = -1,
                        bool close_all = false) {
  const auto begin = std::chrono::steady_clock::now();
  Run run = wait_for(start_callback(arguments, environment, output, close_all));
  run.wall_ms = std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
  return run;
}

inline std::vector<std::string> session_environment(const std::string &user = "alice") {
  return {"PAM_TYPE=open_session", "PAM_USER=" + user,    "PAM_SERVICE=sshd",
          "PAM_TTY=ssh",           "PAM_RHOST=192.0.2.7", "SSH_CONNECTION=192.0.2.7 50123 198.51.100.1 22"};
}

}  // namespace iptrackd::pam::testing

#endif
