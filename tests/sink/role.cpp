#include "sink/role.h"

#include <doctest/doctest.h>
#include <unistd.h>

namespace iptrackd::test {
namespace {

std::string unique_role() {
  static int count = 0;
  return "iptrackd_test_" + std::to_string(getpid()) + "_" + std::to_string(++count);
}

}  // namespace

Role::Role(Database &database) : database_{database}, name_{unique_role()} {
  database_.rows("CREATE ROLE " + name_ + " LOGIN");
}

Role::~Role() {
  connection_.reset();
  database_.rows("DROP OWNED BY " + name_);
  database_.rows("DROP ROLE " + name_);
}

sink::PostgresqlOptions Role::options() const {
  auto options = database_.options();
  options.connection["user"] = name_;
  return options;
}

void Role::grant(const sink::Grants &grants) {
  const auto granted = sink::grant_roles(database_.options(), grants, {});
  REQUIRE_MESSAGE(granted.has_value(), granted.error().message());
}

Role::ResultPtr Role::run(const std::string &sql) {
  if (connection_ == nullptr) {
    std::string conninfo = "options='-c client_min_messages=warning -c timezone=UTC'";
    for (const auto &[keyword, value] : options().connection) conninfo += " " + keyword + "='" + value + "'";
    connection_.reset(PQconnectdb(conninfo.c_str()));
    REQUIRE_MESSAGE(PQstatus(connection_.get()) == CONNECTION_OK, PQerrorMessage(connection_.get()));
  }
  return {PQexec(connection_.get(), database_.complete(sql).c_str()), &PQclear};
}

std::string Role::attempt(const std::string &sql) {
  const auto result = run(sql);
  const auto status = PQresultStatus(result.get());
  if (status == PGRES_COPY_IN) {
    PQputCopyEnd(connection_.get(), nullptr);
    while (PGresult *rest = PQgetResult(connection_.get())) PQclear(rest);
    return "ok";
  }
  if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK) return "ok";
  const char *state = PQresultErrorField(result.get(), PG_DIAG_SQLSTATE);
  return state != nullptr ? state : "no SQLSTATE";
}

std::vector<std::string> Role::rows(const std::string &sql) {
  const auto result = run(sql);
  const auto status = PQresultStatus(result.get());
  REQUIRE_MESSAGE((status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK),
                  sql << ": " << PQresultErrorMessage(result.get()));
  return rows_of(result.get());
}

std::string Role::one(const std::string &sql) {
  auto all = rows(sql);
  REQUIRE(all.size() == 1);
  return all[0];
}

}  // namespace iptrackd::test
