// Logins: a real sshd with the callback in its PAM stack, and the callback by itself.
#include <doctest/doctest.h>
#include <unistd.h>

#include <vector>

#include "daemon.h"
#include "deed.h"
#include "skip.h"
#include "sshd.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

// The callback's environment as pam_exec sets it up.
Launch callback_launch(const Path &fifo, const std::string &user) {
  Launch launch;
  launch.arguments = {callback_program().string(), "-p", fifo.string()};
  launch.prepare = [user] {
    clearenv();
    setenv("PAM_TYPE", "open_session", 1);
    setenv("PAM_SERVICE", "sshd", 1);
    setenv("PAM_USER", user.c_str(), 1);
    setenv("PAM_RHOST", "2001:db8::7", 1);
    setenv("SSH_CONNECTION", "2001:db8::7 50000 2001:db8::1 22", 1);
  };
  return launch;
}

std::string quoted(const std::string &text) {
  return "'" + text + "'";
}

// The PAM rows of the connection that FACTS name.
std::string rows_of_connection(const Json &facts) {
  return "iptrackd.activity WHERE proto = 'tcp' AND pam_user = " + quoted(facts["user"]) +
         " AND remote_addr = " + quoted(facts["client_addr"]) +
         " AND remote_port = " + facts["client_port"].dump() +
         " AND local_addr = " + quoted(facts["server_addr"]) +
         " AND local_port = " + facts["server_port"].dump();
}

// One open_session and one close_session, the login's execs between them. The shell of a login without a
// terminal leads its session.
std::string order_of_login(const Connection &connection, const Json &facts) {
  const std::string pam = rows_of_connection(facts);
  const std::string execs =
      "iptrackd.activity WHERE kind = 'exec' AND result = 0 AND sid = " + facts["shell_pid"].dump();
  return execute(connection, "SELECT concat_ws(',', (SELECT count(*) FROM " + pam +
                                 " AND kind = 'open_session'), (SELECT count(*) FROM " + pam +
                                 " AND kind = 'close_session'), (SELECT count(*) > 1 FROM " + execs +
                                 "), (SELECT max(seq) FROM " + pam +
                                 " AND kind = 'open_session') < (SELECT min(seq) FROM " + execs +
                                 "), (SELECT min(seq) FROM " + pam +
                                 " AND kind = 'close_session') > (SELECT max(seq) FROM " + execs + "))");
}

}  // namespace

TEST_CASE("login: fifty logins stand around what they ran") {
  if (!settings().connection) return skip("rows are read from a file here; the comparison is made in SQL");
  Daemon daemon;
  const Sshd sshd{daemon.directory() / "pam.fifo"};
  const auto logins = sshd.log_in("login", 50);
  REQUIRE(logins.size() == 50);
  const auto &connection = *daemon.prepared().connection;
  // The callback of the last close runs after the client has gone.
  const bool closed = eventually(seconds{10}, [&] {
    return execute(connection, "SELECT count(*) FROM iptrackd.activity WHERE kind = 'close_session'") == "50";
  });
  CHECK(closed);
  for (const Json &facts : logins) {
    CAPTURE(facts.dump());
    CHECK(order_of_login(connection, facts) == "1,1,t,t,t");
  }
}

TEST_CASE("login: a password login has an auth row of the same connection") {
  if (!settings().connection) return skip("rows are read from a file here; the comparison is made in SQL");
  Daemon daemon;
  const Sshd sshd{daemon.directory() / "pam.fifo"};
  const auto logins = sshd.log_in("password", 1);
  REQUIRE(logins.size() == 1);
  wait_for_rows(daemon.rows());
  const auto &connection = *daemon.prepared().connection;
  const std::string row =
      "SELECT string_agg(concat_ws(',', kind, coalesce(result::text, 'unknown'), pam_rhost, uid, "
      "pam_service LIKE 'iptrackd-sshd-%'), ' ' ORDER BY seq) FROM " +
      rows_of_connection(logins.front()) + " AND kind <> 'close_session'";
  CHECK(execute(connection, row) == "auth,unknown,127.0.0.1,0,t open_session,0,127.0.0.1,0,t");
}

TEST_CASE("login: two hundred callbacks at once are two hundred rows") {
  Daemon daemon;
  const std::int64_t since = now_us();
  constexpr int processes = 20;
  constexpr int each = 10;
  std::vector<Process> started;
  for (int process = 0; process < processes; ++process) {
    std::string script = "for i in 1 2 3 4 5 6 7 8 9 10; do PAM_USER=user" + std::to_string(process) +
                         ".$i " + callback_program().string() + " -p " +
                         (daemon.directory() / "pam.fifo").string() + " || exit 1; done";
    Launch launch = callback_launch("", "");
    launch.arguments = {"/bin/sh", "-c", script};
    started.emplace_back(launch);
  }
  for (Process &process : started) CHECK(process.wait(seconds{30}) == 0);
  wait_for_rows(daemon.rows());
  if (settings().connection) {
    CHECK(execute(*daemon.prepared().connection,
                  "SELECT concat(count(*), ',', count(DISTINCT pam_user)) FROM iptrackd.activity "
                  "WHERE kind = 'open_session' AND remote_addr = '2001:db8::7' AND remote_port = 50000") ==
          "200,200");
  }
  CHECK(daemon.rows().of_others(-1, since, now_us())["open_session"] == processes * each);
}

TEST_CASE("login: what happened without a daemon is a row once one runs") {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {});
  apply_schema(prepared);
  const std::int64_t since = now_us();
  CHECK(run(callback_launch(directory.path() / "pam.fifo", "early\xff\tbird")).status == 10);

  Process daemon{daemon_launch("run", prepared.configuration)};
  REQUIRE(eventually(seconds{30}, [&] { return daemon.err().find("ready") != std::string::npos; }));
  const auto rows = open_rows(prepared.connection, prepared.jsonl);
  CHECK(eventually(seconds{10}, [&] { return rows->of_others(-1, since, now_us())["open_session"] == 1; }));
  if (prepared.connection) {
    CHECK(
        execute(*prepared.connection, "SELECT pam_user FROM iptrackd.activity WHERE kind = 'open_session'") ==
        "early\\xff\tbird");
  }
  daemon.signal(SIGTERM);
  CHECK(daemon.wait(seconds{20}) == 0);
}

}  // namespace iptrackd::scenario
