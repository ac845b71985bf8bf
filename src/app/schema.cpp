// `iptrackd schema`: the database schema, by hand.
#include "sink/schema.h"

#include <fmt/core.h>

#include <iostream>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"

namespace iptrackd::app {
namespace {

int print(const config::Config &config) {
  const auto script = sink::schema_script(config.database.schema);
  if (!script) return report(script.error());
  std::cout << *script;
  return 0;
}

int apply(const sink::PostgresqlOptions &options) {
  const auto upgrade = sink::apply_schema(options, {});
  if (!upgrade) return report(upgrade.error());
  if (upgrade->from == upgrade->to) {
    std::cout << fmt::format("schema {} is at version {} already\n", options.schema, upgrade->to);
  } else {
    std::cout << fmt::format("schema {}: version {} to {}\n", options.schema, upgrade->from, upgrade->to);
  }
  return 0;
}

int check(const sink::PostgresqlOptions &options) {
  const auto state = sink::check_schema(options, {});
  if (!state) return report(state.error());
  std::cout << fmt::format("schema {}: version {} of {}, partitions for {} days ahead, {} rows in none\n",
                           options.schema, state->version, sink::latest_schema_version(), state->days_ahead,
                           state->strays);
  for (const auto &finding : state->findings) std::cerr << "iptrackd: " << printable(finding) << '\n';
  return state->findings.empty() ? 0 : 1;
}

int maintain(const sink::PostgresqlOptions &options) {
  const auto done = sink::maintain_schema(options, {});
  if (!done) return report(done.error());
  std::cout << fmt::format("schema {}: {} partitions made ahead, {} made for rows that had none\n",
                           options.schema, done->created, done->adopted);
  return 0;
}

}  // namespace

int schema(const ConfigFile &file, SchemaAction action) {
  const auto config =
      load_config(file, action == SchemaAction::print ? Missing::means_defaults : Missing::is_error);
  if (!config) return report(config.error());
  if (action == SchemaAction::print) return print(*config);
  if (config->database.driver != config::Driver::postgresql) {
    return report({Fault::usage, file.path + ": database.driver-name is jsonl, which has no schema; "
                                             "the verb `schema` is for postgresql"});
  }
  const auto options = postgresql_options(*config);
  switch (action) {
    case SchemaAction::print:
      break;
    case SchemaAction::apply:
      return apply(options);
    case SchemaAction::check:
      return check(options);
    case SchemaAction::maintain:
      return maintain(options);
  }
  return 0;
}

}  // namespace iptrackd::app
