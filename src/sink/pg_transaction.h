// The texts of a transaction that stores a view.
#ifndef IPTRACKD_SINK_PG_TRANSACTION_H
#define IPTRACKD_SINK_PG_TRANSACTION_H

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/batch.h"
#include "sink/vitals.h"

namespace iptrackd::sink {

// Its own settings, whatever database and role have: READ COMMITTED, on which advance_spool() relies; a
// COMMIT that outlives a crash of the server; and an end to a transaction whose client fell silent.
[[nodiscard]] std::string begin_statement(std::chrono::milliseconds timeout);

// DELIVERED: until when everything is stored then, UTC microseconds.
[[nodiscard]] std::string advance_statement(std::string_view schema, const std::string &spool_id,
                                            Position from, Position to,
                                            const std::optional<std::int64_t> &delivered);

[[nodiscard]] std::string sign_statement(std::string_view schema, const std::string &spool_id,
                                         const Vitals &vitals);

}  // namespace iptrackd::sink

#endif
