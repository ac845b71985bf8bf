#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "daemon.h"
#include "deed.h"

namespace iptrackd::scenario {
namespace {

constexpr std::size_t args_max_bytes = 4096;  // the default of probes.args-max-bytes

// The arguments as far as the daemon keeps them: the first BYTES of argv as the kernel lays it out.
Json first_bytes(const Json &args, std::size_t bytes) {
  Json kept = Json::array();
  for (const Json &argument : args) {
    const auto text = argument.get<std::string>();
    if (bytes == 0) break;
    kept.push_back(text.substr(0, bytes));
    bytes -= std::min(bytes, text.size() + 1);
  }
  return kept;
}

void check_truncated(const Words &words) {
  check_deed(words, [](Json &event) {
    event["args"] = first_bytes(event.at("args"), args_max_bytes);
    event["args_truncated"] = true;
  });
}

// So many bytes of argv, each argument's NUL counted.
Words words_of_size(std::size_t bytes) {
  const std::size_t fixed = oracle_path().string().size() + 1 + std::string{"self"}.size() + 1 + 1;
  return {"self", std::string(bytes - fixed, 'x')};
}

// The oracle tries to execute NAME, which must fail.
void check_failure(const Path &name, int error) {
  check_deed({"exec", "how=fail", "name=" + name.string()}, [=](Json &event) {
    if (event.at("exe") != name.string()) return;
    CHECK(event.at("result") == -error);
    // Without trampolines only the caller's own memory knows what it asked for.
    if (settings().mechanism == "tracepoint") event["marks"] = {"untrusted"};
  });
}

Path copy_oracle(const TemporaryDirectory &directory, const std::string &name) {
  Path copy = directory.path() / name;
  std::filesystem::copy_file(oracle_path(), copy);
  return copy;
}

void make_program(const Path &file, const std::string &text, mode_t mode) {
  write_file(file, text);
  REQUIRE(chmod(file.c_str(), mode) == 0);
}

}  // namespace

TEST_CASE("exec: arguments with spaces and quotes and newlines") {
  check_deed({"self", "two words", R"(a "double" and 'single' quote)", "line\nfeed\r\ttab",
              R"($(x) `y` \ \\ {a,b} NULL)"});
}

TEST_CASE("exec: arguments in UTF-8 and in no encoding at all") {
  check_deed({"self", "zażółć gęślą jaźń", "日本語 🦆", "\xff\xfe", "half \xe2\x82", "\xc0\xaf overlong",
              "\xed\xa0\x80", R"(\xff is text)", R"(\x5c)", R"(\xg1)", R"(tail\)"});
}

TEST_CASE("exec: empty arguments") {
  check_deed({"self", "", "between", "", ""});
}

TEST_CASE("exec: no argument at all") {
  Launch launch;
  launch.program = oracle_path();
  check_deed(launch);
}

TEST_CASE("exec: a first argument that lies about the program") {
  Launch launch;
  launch.program = oracle_path();
  launch.arguments = {"/usr/sbin/sshd", "self"};
  check_deed(launch);
}

TEST_CASE("exec: two thousand arguments are cut and flagged") {
  Words words{"self"};
  for (int number = 1; number < 2000; ++number) words.push_back("argument-" + std::to_string(number));
  check_truncated(words);
}

TEST_CASE("exec: as many bytes of arguments as are kept") {
  check_deed(words_of_size(args_max_bytes));
}

TEST_CASE("exec: one byte of arguments more than is kept") {
  check_truncated(words_of_size(args_max_bytes + 1));
}

TEST_CASE("exec: a script is its interpreter with the kernel's arguments") {
  const TemporaryDirectory directory;
  const Path interpreter = copy_oracle(directory, "interpreter");
  const Path script = directory.path() / "script";
  make_program(script, "#!" + interpreter.string() + " self\n", 0755);
  Launch launch;
  launch.program = script;
  launch.arguments = {"not what the interpreter sees", "an argument"};
  check_deed(launch, [&](Json &event) {
    CHECK(event.at("exe") == interpreter.string());
    CHECK(event.at("args") == Json{interpreter.string(), "self", script.string(), "an argument"});
  });
}

TEST_CASE("exec: a program that was deleted") {
  const TemporaryDirectory directory;
  const Path copy = copy_oracle(directory, "short-lived");
  const Fd file{open(copy.c_str(), O_RDONLY)};
  REQUIRE(unlink(copy.c_str()) == 0);
  Launch launch;
  launch.program = "/proc/self/fd/" + std::to_string(file.get());
  launch.arguments = {"short-lived", "self"};
  check_deed(launch, [&](Json &event) {
    CHECK(event.at("exe") == copy.string() + " (deleted)");
    event["exe"] = copy.string();
    event["marks"] = {"deleted"};
  });
}

TEST_CASE("exec: a program whose name is not text") {
  const TemporaryDirectory directory;
  Launch launch;
  launch.program = copy_oracle(directory, "na\xff\\x41me");
  launch.arguments = {launch.program.string(), "self"};
  check_deed(launch, [](Json &event) { CHECK(event.at("comm") == "na\\xff\\x5cx41me"); });
}

TEST_CASE("exec: a program and a working directory however deep") {
  const TemporaryDirectory directory;
  const Path copy = copy_oracle(directory, "oracle");
  Path here = directory.path();
  for (int depth = 1; depth <= 130; ++depth) {
    here /= "d";
    std::filesystem::create_directory(here);
    if (depth > 18 && depth < 125) continue;
    CAPTURE(depth);
    std::filesystem::create_hard_link(copy, here / "oracle");
    Launch launch;
    launch.program = here / "oracle";
    launch.arguments = {"oracle", "self"};
    launch.prepare = [here] { std::filesystem::current_path(here); };
    check_deed(launch);
  }
}

TEST_CASE("exec: by a name in an opened directory") {
  check_deed({"exec", "how=directory"});
}

TEST_CASE("exec: by a descriptor") {
  check_deed({"exec", "how=descriptor"});
}

TEST_CASE("exec: a program in memory only") {
  check_deed({"exec", "how=memfd"}, [](Json &event) {
    if (event.at("exe") != "/memfd:nowhere (deleted)") return;
    event["exe"] = "/memfd:nowhere";
    event["marks"] = {"deleted", "memfd"};
  });
}

TEST_CASE("exec: after vfork") {
  check_deed({"exec", "how=vfork"});
}

TEST_CASE("exec: by posix_spawn") {
  check_deed({"exec", "how=spawn"});
}

TEST_CASE("exec: by a thread that is not the leader") {
  check_deed({"exec", "how=thread"});
}

TEST_CASE("exec: a file that is not there") {
  check_failure("/nonexistent/program", ENOENT);
}

TEST_CASE("exec: a relative name that is not there") {
  check_failure("no-such-program", ENOENT);
}

TEST_CASE("exec: a file without permission") {
  const TemporaryDirectory directory;
  make_program(directory.path() / "plain", "text\n", 0644);
  check_failure(directory.path() / "plain", EACCES);
}

TEST_CASE("exec: a file that is no program") {
  const TemporaryDirectory directory;
  make_program(directory.path() / "noise", "text\n", 0755);
  check_failure(directory.path() / "noise", ENOEXEC);
}

TEST_CASE("exec: an argument that is too long") {
  const Path name = "/bin/true";
  // The kernel takes no argument above 128 KiB (MAX_ARG_STRLEN). By the time it says so its copy of the name
  // is gone.
  check_deed({"exec", "how=fail", "name=" + name.string(), "argument=200000"}, [=](Json &event) {
    if (event.at("exe") != name.string()) return;
    CHECK(event.at("result") == -E2BIG);
    event["marks"] = {"untrusted"};
  });
}

TEST_CASE("exec: a script without its interpreter") {
  const TemporaryDirectory directory;
  make_program(directory.path() / "script", "#!/nonexistent/interpreter\n", 0755);
  check_failure(directory.path() / "script", ENOENT);
}

}  // namespace iptrackd::scenario
