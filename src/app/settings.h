// From the one Config to what each room wants to know. Rooms do not know the configuration; app does.
#ifndef IPTRACKD_APP_SETTINGS_H
#define IPTRACKD_APP_SETTINGS_H

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "app/verbs.h"
#include "config/config.h"
#include "core/pool.h"
#include "core/result.h"
#include "loader/redactor.h"
#include "loader/ring_reader.h"
#include "loader/self_test.h"
#include "loader/tracer.h"
#include "pam/fifo_reader.h"
#include "pam/witnesses.h"
#include "sink/postgresql.h"
#include "sink/sink.h"
#include "sink/writer.h"
#include "spool/spool.h"

namespace iptrackd::app {

enum class Missing { is_error, means_defaults };

// MISSING: what it means when no file was named on the command line and the default one does not exist.
[[nodiscard]] Result<config::Config> load_config(const ConfigFile &file, Missing missing = Missing::is_error);

// Of a Tracer that ends with the verb that made it.
[[nodiscard]] loader::TracerOptions tracer_options(const config::Config &config);
// Of the daemon's, which outlives it.
[[nodiscard]] loader::TracerOptions daemon_tracer_options(const config::Config &config);
// The self-test of a Tracer that nobody else reads.
[[nodiscard]] loader::SelfTestReport self_test(loader::Tracer &tracer, const config::Config &config);
[[nodiscard]] Result<loader::Redactor> make_redactor(const config::Config &config);
[[nodiscard]] pam::FifoReader::Options fifo_options(const config::Config &config);
[[nodiscard]] sink::PostgresqlOptions postgresql_options(const config::Config &config);
[[nodiscard]] std::unique_ptr<sink::Sink> make_sink(const config::Config &config);
[[nodiscard]] sink::Writer::Options writer_options(const config::Config &config);
// The file beside the spool for entries that the database refuses.
[[nodiscard]] std::string rejects_file(const config::Config &config);

// This host in this boot.
[[nodiscard]] Result<Origin> origin_of(const config::Config &config);
[[nodiscard]] spool::Options spool_options(const config::Config &config, const Origin &origin,
                                           loader::Tracer &tracer);
// What begins where a daemon before has ended, as SPOOL remembers.
[[nodiscard]] Pool::Options pool_options(const config::Config &config, const spool::Spool &spool);
[[nodiscard]] loader::RingReaderOptions ring_reader_options(const config::Config &config,
                                                            const spool::Spool &spool);
[[nodiscard]] pam::Witnesses::Options witness_options(const config::Config &config,
                                                      const loader::Tracer &tracer);

// Settings of the file that this version reads but does not act on: one sentence each, for check and run to
// warn of.
[[nodiscard]] std::vector<std::string> without_effect(const config::Config &config);

}  // namespace iptrackd::app

#endif
