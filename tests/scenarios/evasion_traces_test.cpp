// Deeds that leave nothing to look at afterwards, or too much, or what cannot be stored; each with its
// control.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <thread>

#include "daemon.h"
#include "database.h"
#include "evasion.h"
#include "load.h"
#include "skip.h"
#include "sshd.h"

namespace iptrackd::scenario {
namespace {

// argv as the control shows /proc/PID/cmdline.
std::string cmdline_of(const Json &args) {
  std::string text;
  for (const Json &argument : args) text += argument.get<std::string>() + "\\x00";
  return text;
}

// Whether the control has the program's own arguments and name.
bool has_true_traces(const Seen &seen) {
  const Json &exec = seen.facts.front();
  const auto calls = seen.naive.calls("execve", seen.pid());
  return std::any_of(calls.begin(), calls.end(), [&](const Json &call) {
    return call.at("cmdline") == cmdline_of(exec.at("args")) && call.at("comm") == exec.at("comm");
  });
}

// Newer kernels leave the collection to a thread of their own, of which nothing is to be told.
void collected_by_kernel(Json &row) {
  if (row.at("kind") != "close" || row.at("local_port") == row.value("remote_port", Json{})) return;
  row["marks"] = {{"any_of", {Json::array(), Json{"by_kernel"}}}};
  for (const char *column : {"tty", "cgroup", "mnt_ns"})
    row[column] = {{"any_of", {row.at(column), nullptr}}};
}

void unnamed(Json &exec) {
  if (exec.at("exe") != "/memfd:nowhere (deleted)") return;
  exec["exe"] = "/memfd:nowhere";
  exec["marks"] = {"deleted", "memfd"};
}

// Rows that the flood must not touch, and a flood that is one: the network's ring is far too small for it.
const char *const small_rings = "ring-buffer: {size: 512KiB, drain-interval-ms: 1000}\n";
const Words flood{"events=16000", "per-second=8000"};
constexpr std::chrono::milliseconds rings_drained_after{1500};

std::int64_t lost_execs(Rows &rows, std::int64_t since) {
  const auto losses = rows.losses(since);
  return std::count_if(losses.begin(), losses.end(),
                       [](const Json &loss) { return loss.at("kind") == "exec"; });
}

// LINES by COPY into a table of one text column. The SQLSTATE, "" where there was no error.
std::string copy_raw(PGconn *connection, const std::string &lines) {
  ResultPtr result{PQexec(connection, "COPY raw FROM STDIN")};
  REQUIRE(PQresultStatus(result.get()) == PGRES_COPY_IN);
  REQUIRE(PQputCopyData(connection, lines.data(), static_cast<int>(lines.size())) == 1);
  REQUIRE(PQputCopyEnd(connection, nullptr) == 1);
  result.reset(PQgetResult(connection));
  const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  const std::string sqlstate = state != nullptr ? state : "";
  while (ResultPtr rest{PQgetResult(connection)}) {
  }
  return sqlstate;
}

const std::string poison = "poi\xffson\xc0\xaf";
const std::string poison_shown = "poi\\xffson\\xc0\\xaf";

Launch callback(const Daemon &daemon) {
  Launch launch;
  launch.arguments = {callback_program().string(), "-p", (daemon.directory() / "pam.fifo").string()};
  launch.prepare = [] {
    clearenv();
    setenv("PAM_TYPE", "open_session", 1);
    setenv("PAM_SERVICE", "sshd", 1);
    setenv("PAM_USER", poison.c_str(), 1);
  };
  return launch;
}

}  // namespace

TEST_CASE("evasion: a program in memory only") {
  const auto seen = watch(oracle({"exec", "how=memfd"}), unnamed);
  REQUIRE(seen);
  CHECK(seen->naive.names(seen->facts.back().at("pid")).back().empty());
}

TEST_CASE("evasion: a program executed by its descriptor") {
  const auto seen = watch(oracle({"exec", "how=descriptor"}));
  REQUIRE(seen);
  CHECK(seen->naive.names(seen->facts.back().at("pid")).back().empty());
}

TEST_CASE("evasion: a program that is deleted before it is executed") {
  const TemporaryDirectory directory;
  const Path copy = directory.path() / "short-lived";
  std::filesystem::copy_file(oracle_path(), copy);
  const Fd file{open(copy.c_str(), O_RDONLY)};
  REQUIRE(unlink(copy.c_str()) == 0);
  Launch launch = oracle({"self"});
  launch.program = "/proc/self/fd/" + std::to_string(file.get());
  const auto seen = watch(launch, [&](Json &event) {
    CHECK(event.at("exe") == copy.string() + " (deleted)");
    event["exe"] = copy.string();
    event["marks"] = {"deleted"};
  });
  REQUIRE(seen);
  CHECK(seen->naive.names(seen->pid()).back() == launch.program.string());
}

TEST_CASE("evasion: a short life under another name") {
  constexpr int lives = 5;
  int told = 0;
  for (int life = 0; life < lives; ++life) {
    const auto seen = watch(oracle({"disguise"}));
    REQUIRE(seen);
    told += has_true_traces(*seen) ? 1 : 0;
  }
  // Once in a while it is in time.
  CHECK(told < lives);
}

TEST_CASE("evasion: a flood of network events hides no exec") {
  Daemon daemon{{small_rings, std::nullopt}};
  Naive naive{{"ring=524288", "drain-ms=1000"}};
  const std::int64_t since = now_us();
  const Generated generated = generate(flood);
  std::this_thread::sleep_for(rings_drained_after);
  const std::int64_t until = now_us();
  const NaiveReports reports = naive.stop();
  REQUIRE(daemon.stop().status == 0);
  Counts counts = daemon.rows().of_session(generated.sid, since, until);
  CHECK(counts["exec"] == generated.events.at("exec"));
  CHECK(lost_execs(daemon.rows(), since) == 0);
  // Else it was no flood.
  CHECK(counts["connect"] < generated.events.at("connect"));
  CHECK(lost_since(daemon.rows(), since).count > 0);
  const std::int64_t named = reports.executed((settings().programs / "noop").string());
  MESSAGE("of ", generated.events.at("exec"), " execs the control has ", named);
  CHECK(named < generated.events.at("exec"));
}

TEST_CASE("evasion: a close at exit") {
  check_hidden_close({"close", "how=exit", "sent=7"});
}
TEST_CASE("evasion: a close by SIGKILL") {
  check_hidden_close({"close", "how=kill", "received=7"});
}
TEST_CASE("evasion: a close of a copy of the descriptor") {
  check_hidden_close({"close", "how=copy"});
}
TEST_CASE("evasion: a close by close_range") {
  check_hidden_close({"close", "how=range"});
}
TEST_CASE("evasion: a close by dup2 over the descriptor") {
  check_hidden_close({"close", "how=replace"});
}
TEST_CASE("evasion: a close by a program that inherited the descriptor") {
  check_hidden_close({"close", "how=inherit"});
}
TEST_CASE("evasion: a close on exec") {
  check_hidden_close({"close", "how=exec"});
}
TEST_CASE("evasion: a close by a process that was passed the descriptor") {
  check_hidden_close({"close", "how=pass"});
}
TEST_CASE("evasion: a close of a descriptor that was passed and never received") {
  check_hidden_close({"close", "how=pass-unread"});
}
TEST_CASE("evasion: a close of a descriptor that only the kernel can find") {
  check_hidden_close({"close", "how=pass-cycle"}, collected_by_kernel);
}

TEST_CASE("evasion: bytes that are no text are stored escaped") {
  Daemon daemon;
  const Path copy = daemon.directory() / poison;
  std::filesystem::copy_file(oracle_path(), copy);
  const std::int64_t since = now_us();
  Launch launch = oracle({"all", "note=" + poison});
  launch.program = copy;
  const Facts facts = facts_of(launch);
  CHECK(facts.front().at("comm") == poison_shown);
  // With its neighbours, in one batch.
  check_facts(daemon.rows(), facts, since);
}

TEST_CASE("evasion: a user name that is no text is stored escaped") {
  if (!std::filesystem::exists(callback_program())) return skip("the PAM callback is not here");
  Daemon daemon;
  const std::int64_t since = now_us();
  CHECK(run(callback(daemon)).status == 0);
  wait_for_rows(daemon.rows());
  CHECK(daemon.rows().of_others(-1, since, now_us())["open_session"] == 1);
  // Only a database is asked for one column; that the row came at all is what the file shows.
  if (!settings().connection) return;
  CHECK(execute(*daemon.prepared().connection,
                "SELECT pam_user FROM iptrackd.activity "
                "WHERE kind = 'open_session'") == poison_shown);
}

TEST_CASE("evasion: bytes that are no text abort a plain COPY") {
  if (!settings().connection) return skip("there is no PostgreSQL here");
  const ConnectionPtr connection = open_database(*settings().connection);
  const ResultPtr created{PQexec(connection.get(), "CREATE TEMPORARY TABLE raw (comm text)")};
  REQUIRE(PQresultStatus(created.get()) == PGRES_COMMAND_OK);
  CHECK(copy_raw(connection.get(), "innocent\n" + poison + "\n") == "22021");
  const ResultPtr count{PQexec(connection.get(), "SELECT count(*) FROM raw")};
  CHECK(std::string{PQgetvalue(count.get(), 0, 0)} == "0");
}

}  // namespace iptrackd::scenario
