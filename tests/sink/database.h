// Database: the test's own view of PostgreSQL, apart from the code under test: plain blocking libpq.
#ifndef IPTRACKD_TESTS_SINK_DATABASE_H
#define IPTRACKD_TESTS_SINK_DATABASE_H

#include <libpq-fe.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "sink/postgresql.h"

namespace iptrackd::test {

// Reads a connection.env of scripts/postgres.sh as libpq's keywords.
[[nodiscard]] std::map<std::string, std::string> connection_of(const std::string &path);

// Fields joined by '|', NULL as "NULL".
[[nodiscard]] std::vector<std::string> rows_of(const PGresult *result);

class Database {
 public:
  // Takes a schema's name that nobody else has, and drops the schema at the end. Without a path, the cluster
  // of the ctest fixture; the test fails when there is none.
  explicit Database(const std::string &connection_env = {});
  ~Database();
  Database(const Database &) = delete;
  Database &operator=(const Database &) = delete;

  [[nodiscard]] const sink::PostgresqlOptions &options() const { return options_; }
  [[nodiscard]] sink::PostgresqlOptions &options() { return options_; }
  // SQL, in which @ stands for the schema's quoted name.
  [[nodiscard]] std::string complete(const std::string &sql) const;
  // Runs it; the rows are those of rows_of().
  std::vector<std::string> rows(const std::string &sql);
  std::string one(const std::string &sql);  // the only row
  // From now on asks another server.
  void reconnect(const std::string &host, const std::string &port);

 private:
  void connect();

  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_;
  sink::PostgresqlOptions options_;
};

// A cluster of this test's own, to be stopped and started.
class Cluster {
 public:
  Cluster();
  ~Cluster();
  Cluster(const Cluster &) = delete;
  Cluster &operator=(const Cluster &) = delete;

  [[nodiscard]] std::string connection_env() const { return directory_ + "/connection.env"; }
  void start() const { run("start"); }
  void stop() const { run("stop"); }
  // As if the machine had lost its power, as far as others see.
  void kill() const;

 private:
  void run(const std::string &command) const;

  std::string script_;
  std::string directory_;
};

}  // namespace iptrackd::test

#endif
