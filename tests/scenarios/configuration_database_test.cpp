// What the keys of `database` do: which server is spoken to, how, and what is written there. Those of its
// batches: configuration_stages_test.cpp.
#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <array>
#include <system_error>
#include <thread>

#include "core/fd.h"
#include "daemon.h"
#include "deed.h"
#include "skip.h"

namespace iptrackd::scenario {
namespace {

using std::chrono::seconds;

// A server as far as a client can tell who wants TLS: it agrees to that, and goes away.
class WouldBeServer {
 public:
  WouldBeServer() : listener_{socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)} {
    sockaddr_in name{};
    socklen_t size = sizeof(name);
    name.sin_family = AF_INET;
    name.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    auto *const address = reinterpret_cast<sockaddr *>(&name);
    if (bind(listener_.get(), address, size) != 0 || listen(listener_.get(), 1) != 0 ||
        getsockname(listener_.get(), address, &size) != 0) {
      throw std::system_error{errno, std::generic_category(), "a server"};
    }
    port_ = ntohs(name.sin_port);
    thread_ = std::jthread{[this] { agree(); }};
  }
  ~WouldBeServer() { shutdown(listener_.get(), SHUT_RDWR); }
  WouldBeServer(const WouldBeServer &) = delete;
  WouldBeServer &operator=(const WouldBeServer &) = delete;

  [[nodiscard]] std::string port() const { return std::to_string(port_); }

 private:
  void agree() const {
    const Fd client{accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)};
    std::array<char, 8> request{};
    if (client && recv(client.get(), request.data(), request.size(), MSG_WAITALL) > 0)
      (void)send(client.get(), "S", 1, MSG_NOSIGNAL);
  }

  Fd listener_;
  int port_ = 0;
  std::jthread thread_;
};

// What `iptrackd check` has to say where the section database holds KEYWORDS too.
std::string checked_with(const std::string &keywords) {
  const TemporaryDirectory directory;
  const Prepared prepared = prepare(directory.path(), {"database: {" + keywords + "}\n"});
  const Ended ended = run(daemon_launch("check", prepared.configuration));
  return ended.out + ended.err;
}

DaemonOptions jsonl_into(const Path &file) {
  return {"database: {driver-name: jsonl, filename: \"" + file.string() + "\"}\n"};
}

// Without a schema, which this driver has none of.
Process ready_daemon(const Prepared &prepared) {
  Process daemon{daemon_launch("run", prepared.configuration)};
  REQUIRE(eventually(seconds{30}, [&] { return daemon.err().find("ready") != std::string::npos; }));
  return daemon;
}

}  // namespace

TEST_CASE("configuration: database.driver-name jsonl writes into database.filename") {
  const TemporaryDirectory directory;
  const Path file = directory.path() / "a-file.jsonl";
  const Prepared prepared = prepare(directory.path(), jsonl_into(file));
  const Process daemon = ready_daemon(prepared);
  const auto rows = open_rows(std::nullopt, file);
  wait_for_rows(*rows);
  if (!prepared.connection) return;
  CHECK(execute(*prepared.connection, "SELECT to_regnamespace('iptrackd') IS NULL") == "t");
}

TEST_CASE("configuration: database.filename may be standard output") {
  const TemporaryDirectory directory;
  const Process daemon = ready_daemon(prepare(directory.path(), jsonl_into("-")));
  const Facts facts = facts_of(oracle({"self", "a-word-of-ours"}));
  const auto arrived = [&] { return daemon.out().find("a-word-of-ours") != std::string::npos; };
  CHECK(eventually(seconds{20}, arrived));
}

TEST_CASE("configuration: database.schema and connection keywords reach the server") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server");
  Daemon daemon{{"database: {schema: a_schema, application_name: a-name-of-ours}\n"}};
  const Connection &connection = *daemon.prepared().connection;
  const Facts facts = facts_of(oracle({"self"}));
  const std::string rows =
      "SELECT count(*) FROM a_schema.activity WHERE pid = " + facts.at(0).at("pid").dump();
  CHECK(eventually(seconds{20}, [&] { return execute(connection, rows) == "1"; }));
  CHECK(execute(connection, "SELECT to_regnamespace('iptrackd') IS NULL") == "t");
  CHECK(execute(connection,
                "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'a-name-of-ours' "
                "AND datname = current_database()") == "1");
}

TEST_CASE("configuration: database.passfile is where the password is looked for") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server");
  const TemporaryDirectory directory;
  const Path file = directory.path() / "passwords";
  write_file(file, "*:*:*:*:secret\n");
  REQUIRE(chmod(file.c_str(), 0644) == 0);
  // This server wants none; but libpq says of which file it makes no use.
  CHECK(checked_with("passfile: " + file.string())
            .find("\"" + file.string() + "\" has group or world access") != std::string::npos);
}

TEST_CASE("configuration: database.sslmode is what is demanded of the server") {
  if (!settings().connection) return skip("rows are read from a file here; there is no server");
  const std::string refusal = "server does not support SSL";
  CHECK(checked_with("host: 127.0.0.1, sslmode: require").find(refusal) != std::string::npos);
  CHECK(checked_with("host: 127.0.0.1, sslmode: prefer").find(refusal) == std::string::npos);
}

TEST_CASE("configuration: database.sslrootcert is what the server is checked with") {
  const WouldBeServer server;
  CHECK(checked_with("driver-name: postgresql, host: 127.0.0.1, port: " + server.port() +
                     ", sslmode: verify-full, sslrootcert: /nonexistent/authority.pem")
            .find("\"/nonexistent/authority.pem\" does not exist") != std::string::npos);
}

}  // namespace iptrackd::scenario
