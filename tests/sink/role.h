// Role: a role of the test's own, and what it can do with the database.
#ifndef IPTRACKD_TESTS_SINK_ROLE_H
#define IPTRACKD_TESTS_SINK_ROLE_H

#include <libpq-fe.h>

#include <memory>
#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/roles.h"

namespace iptrackd::test {

class Role {
 public:
  // Makes a role that may log in and nothing else; it is dropped at the end, before DATABASE.
  explicit Role(Database &database);
  ~Role();
  Role(const Role &) = delete;
  Role &operator=(const Role &) = delete;

  [[nodiscard]] const std::string &name() const { return name_; }
  // The database's, with this role as the user.
  [[nodiscard]] sink::PostgresqlOptions options() const;
  // Runs SQL as this role, @ as in Database::rows(): "ok", or the SQLSTATE with which it was refused.
  std::string attempt(const std::string &sql);
  // The rows of SQL, which must succeed.
  std::vector<std::string> rows(const std::string &sql);
  std::string one(const std::string &sql);

  void become_writer(const std::vector<std::string> &hosts = {}) { grant({{name_}, hosts, {}, {}}); }
  void become_reader() { grant({{}, {}, {name_}, {}}); }
  void become_investigator() { grant({{}, {}, {}, {name_}}); }

 private:
  using ResultPtr = std::unique_ptr<PGresult, decltype(&PQclear)>;

  void grant(const sink::Grants &grants);
  ResultPtr run(const std::string &sql);

  Database &database_;
  std::string name_;
  std::unique_ptr<PGconn, decltype(&PQfinish)> connection_{nullptr, &PQfinish};
};

}  // namespace iptrackd::test

#endif
