#include "config/load.h"

#include <doctest/doctest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "config/files.h"
#include "config/support.h"

using namespace iptrackd::config;
using iptrackd::config::test::Directory;
using iptrackd::config::test::error_of;
using iptrackd::config::test::loaded;

namespace {

Config defaults() {
  utsname names{};
  REQUIRE(::uname(&names) == 0);
  Config config;
  config.host_name = static_cast<const char *>(names.nodename);
  return config;
}

std::string failure(const std::string &file) {
  const auto config = load(file);
  if (config) return {};
  CHECK(config.error().fault() == iptrackd::Fault::usage);
  CHECK(config.error().exit_code() == 2);
  return config.error().message();
}

}  // namespace

TEST_CASE("an empty file is all defaults, host-name being the node name") {
  CHECK(loaded("") == defaults());
  CHECK(loaded("# nothing\n") == defaults());
  CHECK(loaded("pam:\nlog-pool:\n  records:\nwhitelist:\n  network:\nredact:\nprobes:\nmetrics:\n") ==
        defaults());
}

TEST_CASE("a file that cannot be read is named, with place and reason") {
  const Directory directory;
  const auto missing = directory.file("none.yml");
  CHECK(failure(missing) ==
        missing + ":1:1: cannot be read: No such file or directory; name a file that exists");
  CHECK(failure(directory.file("")) == directory.file("") + ":1:1: is a directory; name a file");
  const auto fifo = directory.file("fifo");
  REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  CHECK(failure(fifo) == fifo + ":1:1: is not a regular file; name a file");
  CHECK(failure("/dev/zero") == "/dev/zero:1:1: is not a regular file; name a file");
  const auto loop = directory.file("loop");
  REQUIRE(::symlink("loop", loop.c_str()) == 0);
  CHECK(failure(loop).find("cannot be read: Too many levels of symbolic links") != std::string::npos);
  const auto large = directory.write("large.yml", std::string((1U << 20U) + 1, '#'));
  CHECK(failure(large) == large + ":1:1: is larger than 1MiB; name a configuration file");
  CHECK(load(directory.write("fits.yml", std::string(1U << 20U, '#'))));
}

TEST_CASE("a file that this user may not read") {
  if (::geteuid() != 0) return;
  const Directory directory;
  const auto file = directory.write("c.yml", "");
  REQUIRE(::seteuid(65534) == 0);
  const auto message = failure(file);
  REQUIRE(::seteuid(0) == 0);
  CHECK(message ==
        file + ":1:1: cannot be read: Permission denied; run as root, or allow this user to read it");
}

TEST_CASE("all errors are reported, one line each, in the order of the file") {
  CHECK(error_of("log: {level: loud}\nbogus: 1\npam:\n  fifo-file: x\n") ==
        "c.yml:1:14: log.level is 'loud'; write trace, debug, info, warn or error\n"
        "c.yml:2:1: unknown key 'bogus'; remove it; config/iptrackd.yml lists every key\n"
        "c.yml:4:14: pam.fifo-file is 'x'; write an absolute path, beginning with /");
}

TEST_CASE("drop-ins are laid upon the file in lexical order") {
  const Directory directory;
  const auto file = directory.write("c.yml",
                                    "host-name: a\nprobes: {exec: false, udp-bind: false}\n"
                                    "whitelist: {network: [/a, /b]}\n");
  directory.write("c.yml.d/20-second.yml", "host-name: c\nwhitelist: {network: [/c]}\n");
  directory.write("c.yml.d/10-first.yml", "host-name: b\nprobes: {exec: true}\n");
  directory.write("c.yml.d/.hidden.yml", "bogus: 1\n");
  directory.write("c.yml.d/README", "bogus: 1\n");
  directory.write("c.yml.d/30.yml~", "bogus: 1\n");
  const auto config = load(file);
  REQUIRE(config);
  CHECK(config->host_name == "c");
  CHECK(config->probes.exec);
  CHECK_FALSE(config->probes.udp_bind);
  REQUIRE(config->whitelist.network.size() == 1);
  CHECK(config->whitelist.network[0].text == "/c");
  CHECK(config->whitelist.network[0].at.file == directory.file("c.yml.d/20-second.yml"));
}

TEST_CASE("the default file has a second directory of drop-ins, in one order with the first") {
  const Directory directory;
  const auto file = directory.write("c.yml", "");
  for (const char *name : {"c.d/10.yml", "c.d/20.yml", "c.d/30.yml", "c.yml.d/10.yml", "c.yml.d/25.yml"})
    directory.write(name, "");
  const auto names = [&](const std::string &default_file) {
    const auto paths = list_drop_ins(file, default_file);
    REQUIRE(paths);
    std::string text;
    for (const auto &path : *paths) text += path.substr(directory.file("").size()) + " ";
    return text;
  };
  CHECK(names(file) == "c.d/10.yml c.yml.d/10.yml c.d/20.yml c.yml.d/25.yml c.d/30.yml ");
  CHECK(names("/etc/other.yml") == "c.yml.d/10.yml c.yml.d/25.yml ");
  std::filesystem::remove_all(directory.file("c.d"));
  directory.write("c.d", "");
  CHECK_FALSE(list_drop_ins(file, file));
}

TEST_CASE("errors in drop-ins name the drop-in") {
  const Directory directory;
  const auto file = directory.write("c.yml", "log-pool: {records: {min: 100}}\nbogus: 1\n");
  const auto drop_in = directory.write("c.yml.d/x.yml", "log-pool: {records: {max: 10}}\n");
  CHECK(failure(file) ==
        file + ":2:1: unknown key 'bogus'; remove it; config/iptrackd.yml lists every key\n" + drop_in +
            ":1:27: log-pool.records.max (10) is below min (100); write 0 for no limit, or at least min");
  directory.write("c.yml.d/x.yml", "a: [\n");
  std::filesystem::create_directory(directory.file("c.yml.d/y.yml"));
  const auto message = failure(file);
  CHECK(message.rfind(drop_in + ":1:1: not valid YAML", 0) == 0);
  CHECK(message.find("c.yml.d/y.yml:1:1: is a directory") != std::string::npos);
  CHECK(std::count(message.begin(), message.end(), '\n') == 1);
}

TEST_CASE("FILE.d that is no directory is an error") {
  const Directory directory;
  const auto file = directory.write("c.yml", "");
  directory.write("c.yml.d", "");
  CHECK(failure(file) == file + ".d:1:1: is not a directory; remove or rename it");
}

TEST_CASE("a password in a file that others can open is refused, with the command that helps") {
  const Directory directory;
  const auto file = directory.write("c.yml", "database:\n  password: x\n", 0640);
  CHECK(failure(file) ==
        file + ":2:3: database.password stands in a file that others can open (mode 0640); run: chmod 600 " +
            file);
  for (const mode_t mode : {0604, 0620, 0610, 0644}) {
    ::chmod(file.c_str(), mode);
    CAPTURE(mode);
    CHECK_FALSE(load(file));
  }
  ::chmod(file.c_str(), 0600);
  CHECK(load(file));
  // A drop-in that replaces the password leaves it readable where it was.
  ::chmod(file.c_str(), 0644);
  directory.write("c.yml.d/x.yml", "database: {password: y}\n");
  CHECK(failure(file).rfind(file + ":2:3: database.password", 0) == 0);
  directory.write("c.yml", "", 0644);
  CHECK(load(file));
  const auto key = directory.write("key.yml", "database: {sslpassword: x}\n", 0644);
  CHECK(failure(key).find("database.sslpassword stands") != std::string::npos);
  CHECK(load(directory.write("none.yml", "database: {user: x, password: ~}\n", 0644))
            .error()
            .message()
            .find("chmod") == std::string::npos);
}

TEST_CASE("a file that changes what it holds cannot split an error over two lines") {
  const auto message = error_of("\"a\\nb\": 1\nhost-name: {x: 1}\nlog: {level: \"x\\ny\\e[31m\"}\n");
  CHECK(std::count(message.begin(), message.end(), '\n') == 2);
  CHECK(message.find('\x1b') == std::string::npos);
}
