#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "deeds.h"

namespace iptrackd::oracle {
namespace {

using File = std::unique_ptr<std::FILE, decltype(&std::fclose)>;

// A program that can say what came of its calls, one line `WORD NUMBER` a step, but knows nothing of itself.
// Who it is follows from who started it and from its file; its deeds lie between its start and its end.
class ForeignProgram {
 public:
  ForeignProgram(std::string path, std::vector<std::string> words)
      : path_{std::move(path)}, words_{std::move(words)}, out_{nullptr, &std::fclose} {
    words_.insert(words_.begin(), path_);
    span_.from = now();
    start();
  }

  // The number behind WORD, which must be the next.
  int expect(const std::string &word) {
    std::array<char, 32> said{};
    int number = 0;
    if (std::fscanf(out_.get(), "%31s %d", said.data(), &number) != 2 || word != said.data())
      die("instead of " + word + " it said: " + said.data());
    return number;
  }
  void wait() {
    int status = 0;
    if (waitpid(pid_, &status, 0) != pid_) die("waitpid");
    span_.to = now();
    if (status != 0) die("a foreign program failed");
  }

  // Rows, once it has ended. The words are those that the program was given, by whomever.
  [[nodiscard]] Json exec_row(const std::vector<std::string> &words) const {
    Json row = row_of("exec", 0);
    row["args"] = words;
    row["args_truncated"] = false;
    row["cwd"] = shown(std::filesystem::current_path().native());
    return row;
  }
  [[nodiscard]] Json row_of(const std::string &kind, int result) const {
    Json row = oracle::row(kind, span_, result);
    row["pid"] = row["tid"] = pid_;
    row["ppid"] = host_pid();
    row["comm"] = std::filesystem::path{path_}.filename();
    row["exe"] = path_;
    struct stat status {};
    if (stat(path_.c_str(), &status) != 0) die(path_);
    row["exe_inode"] = status.st_ino;
    if (kind == "close") row["opener_pid"] = pid_;
    if (kind == "close" || kind == "connect") row["duration"] = duration_between(span_, span_);
    return row;
  }
  [[nodiscard]] const std::vector<std::string> &words() const { return words_; }

 private:
  void start() {
    std::array<int, 2> ends{};
    if (pipe(ends.data()) != 0) die("pipe");
    pid_ = fork();
    if (pid_ < 0) die("fork");
    if (pid_ == 0) become_it(ends[1]);
    close(ends[1]);
    out_.reset(fdopen(ends[0], "r"));
    if (!out_) die("fdopen");
  }
  [[noreturn]] void become_it(int out) {
    std::vector<char *> arguments;
    for (std::string &word : words_) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    if (dup2(out, STDOUT_FILENO) < 0) die("dup2");
    execv(path_.c_str(), arguments.data());
    // Where the kernel takes no 32-bit programs.
    if (errno == ENOEXEC) not_here("32-bit programs");
    die(path_);
  }

  std::string path_;
  std::vector<std::string> words_;
  pid_t pid_ = -1;
  File out_;
  Span span_;
};

struct Ends {
  Json local_port, remote_port;
};

Json with_addresses(Json row, const Ends &ends) {
  row["proto"] = "tcp";
  row["local_addr"] = "127.0.0.1";
  row["local_port"] = ends.local_port;
  row["remote_addr"] = ends.remote_port.is_null() ? Json(nullptr) : Json("127.0.0.1");
  row["remote_port"] = ends.remote_port;
  if (row["kind"] == "close" && !ends.remote_port.is_null()) row["bytes_sent"] = row["bytes_received"] = 0;
  return row;
}

std::string small32() {
  return std::filesystem::path{own_path()}.parent_path() / "small32";
}

void foreign_connect(const std::string &deed, Report &report) {
  Socket server{Family::ipv4, Proto::tcp};
  server.bind(report, loopback(Family::ipv4, 0));
  server.listen();
  const int port = port_of(server.local());
  ForeignProgram program{small32(), {deed, std::to_string(port)}};
  const int result = program.expect("connect");
  const Ends ends{program.expect("port"), port};
  program.wait();
  report.add(program.exec_row(program.words()));
  report.add(with_addresses(program.row_of("connect", result), ends));
  report.add(with_addresses(program.row_of("close", 0), ends));
  server.accept(report)->close(report);
  server.close(report);
}

void foreign_accept(const std::string &deed, Report &report) {
  ForeignProgram program{small32(), {deed}};
  const int bound = program.expect("bind");
  const int port = program.expect("port");
  Socket client{Family::ipv4, Proto::tcp};
  client.connect(report, loopback(Family::ipv4, static_cast<std::uint16_t>(port)));
  const Ends ends{port, port_of(client.local())};
  const int accepted = program.expect("accept");
  program.wait();
  client.close(report);
  report.add(program.exec_row(program.words()));
  report.add(with_addresses(program.row_of("bind", bound), {port, nullptr}));
  report.add(with_addresses(program.row_of("accept", accepted), ends));
  report.add(with_addresses(program.row_of("close", 0), ends));
  report.add(with_addresses(program.row_of("close", 0), {port, nullptr}));
}

void foreign_exec(Report &report) {
  ForeignProgram program{small32(), {"exec"}};
  program.wait();
  report.add(program.exec_row(program.words()));
  report.add(program.exec_row({program.words().front(), "done"}));
}

void foreign_exec_that_fails(const std::string &deed, Report &report) {
  ForeignProgram program{small32(), {deed}};
  const int result = program.expect("exec");
  program.wait();
  report.add(program.exec_row(program.words()));
  Json row = program.row_of("exec", result);
  row["exe"] = "/nonexistent/small32";
  row["exe_dev"] = row["exe_inode"] = nullptr;
  row["cwd"] = shown(std::filesystem::current_path().native());
  report.add(std::move(row));
}

}  // namespace

void small32_deed(const Options &options, Report &report) {
  const std::string deed = options.text("do", "exec");
  if (deed == "exec") return foreign_exec(report);
  if (deed == "exec-missing") return foreign_exec_that_fails(deed, report);
  if (deed.starts_with("connect")) return foreign_connect(deed, report);
  foreign_accept(deed, report);
}

}  // namespace iptrackd::oracle
