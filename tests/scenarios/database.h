// libpq's objects with their ends, for what reads or provokes a database.
#ifndef IPTRACKD_TESTS_SCENARIOS_DATABASE_H
#define IPTRACKD_TESTS_SCENARIOS_DATABASE_H

#include <libpq-fe.h>

#include <memory>

#include "settings.h"

namespace iptrackd::scenario {

struct Finish {
  void operator()(PGconn *connection) const { PQfinish(connection); }
};
struct Clear {
  void operator()(PGresult *result) const { PQclear(result); }
};
using ConnectionPtr = std::unique_ptr<PGconn, Finish>;
using ResultPtr = std::unique_ptr<PGresult, Clear>;

// Throws std::runtime_error with libpq's words where nobody answers.
[[nodiscard]] ConnectionPtr open_database(const Connection &connection);

}  // namespace iptrackd::scenario

#endif
