#include "sink/database.h"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace iptrackd::test {
namespace {

std::string from_environment(const char *name) {
  const char *value = std::getenv(name);
  REQUIRE_MESSAGE(value != nullptr,
                  name << " is not set; run these tests with ctest, which starts PostgreSQL");
  return value;
}

std::string unique_schema() {
  static int count = 0;
  // A name that needs its quotes.
  return "Test \"" + std::to_string(getpid()) + "\" $body$ 'n' " + std::to_string(++count);
}

}  // namespace

std::map<std::string, std::string> connection_of(const std::string &path) {
  static const std::map<std::string, std::string> keywords{
      {"PGHOST", "host"}, {"PGPORT", "port"}, {"PGUSER", "user"}, {"PGDATABASE", "dbname"}};
  std::map<std::string, std::string> connection;
  std::ifstream file{path};
  for (std::string line; std::getline(file, line);) {
    const auto equals = line.find('=');
    REQUIRE(equals != std::string::npos);
    connection[keywords.at(line.substr(0, equals))] = line.substr(equals + 1);
  }
  REQUIRE_MESSAGE(connection.size() == 4, path << " is missing or incomplete");
  return connection;
}

Database::Database(const std::string &connection_env) : connection_{nullptr, &PQfinish} {
  options_.connection = connection_of(
      connection_env.empty() ? from_environment("IPTRACKD_TEST_CONNECTION_ENV") : connection_env);
  options_.schema = unique_schema();
  connect();
}

void Database::connect() {
  std::string conninfo = "options='-c client_min_messages=warning -c timezone=UTC'";
  for (const auto &[keyword, value] : options_.connection) conninfo += " " + keyword + "='" + value + "'";
  connection_.reset(PQconnectdb(conninfo.c_str()));
  REQUIRE_MESSAGE(PQstatus(connection_.get()) == CONNECTION_OK, PQerrorMessage(connection_.get()));
}

void Database::reconnect(const std::string &host, const std::string &port) {
  options_.connection["host"] = host;
  options_.connection["port"] = port;
  connect();
}

Database::~Database() {
  if (PQstatus(connection_.get()) == CONNECTION_BAD) PQreset(connection_.get());
  const std::string drop = "DROP SCHEMA IF EXISTS " + *sink::quoted_schema(options_.schema) + " CASCADE";
  PQclear(PQexec(connection_.get(), drop.c_str()));
}

std::vector<std::string> rows_of(const PGresult *result) {
  std::vector<std::string> out;
  for (int r = 0; r < PQntuples(result); ++r) {
    std::string row;
    for (int f = 0; f < PQnfields(result); ++f) {
      if (f > 0) row += '|';
      row += PQgetisnull(result, r, f) != 0 ? "NULL" : PQgetvalue(result, r, f);
    }
    out.push_back(row);
  }
  return out;
}

std::string Database::complete(const std::string &sql) const {
  const std::string schema = *sink::quoted_schema(options_.schema);
  std::string complete;
  for (const char c : sql) complete += c == '@' ? schema : std::string(1, c);
  return complete;
}

std::vector<std::string> Database::rows(const std::string &sql) {
  const std::string complete = this->complete(sql);
  std::unique_ptr<PGresult, decltype(&PQclear)> result{PQexec(connection_.get(), complete.c_str()), &PQclear};
  if (PQstatus(connection_.get()) == CONNECTION_BAD) {  // the test has restarted the server since
    PQreset(connection_.get());
    result.reset(PQexec(connection_.get(), complete.c_str()));
  }
  const auto status = PQresultStatus(result.get());
  REQUIRE_MESSAGE((status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK),
                  complete << ": " << PQresultErrorMessage(result.get()));
  return rows_of(result.get());
}

std::string Database::one(const std::string &sql) {
  auto all = rows(sql);
  REQUIRE(all.size() == 1);
  return all[0];
}

Cluster::Cluster() : script_{from_environment("IPTRACKD_POSTGRES_SCRIPT")} {
  std::string path = (std::filesystem::temp_directory_path() / "iptrackd-cluster.XXXXXX").string();
  REQUIRE(mkdtemp(path.data()) != nullptr);
  directory_ = path;
  start();
}

Cluster::~Cluster() {
  run("remove");
}

void Cluster::kill() const {
  std::ifstream file{directory_ + "/data_directory"};
  std::string data;
  std::getline(file, data);
  pid_t postmaster = 0;
  std::ifstream{data + "/postmaster.pid"} >> postmaster;
  REQUIRE(postmaster > 1);
  CHECK(::kill(postmaster, SIGQUIT) == 0);  // an immediate shutdown: no checkpoint, no goodbye to the standby
}

void Cluster::run(const std::string &command) const {
  const std::string line = "'" + script_ + "' " + command + " '" + directory_ + "' >/dev/null";
  CHECK(std::system(line.c_str()) == 0);
}

}  // namespace iptrackd::test
