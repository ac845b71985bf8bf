// `iptrackd schema`: the database schema, by hand.
#include "sink/schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <iostream>

#include "app/log.h"
#include "app/settings.h"
#include "app/verbs.h"
#include "sink/roles.h"

namespace iptrackd::app {
namespace {

int print(const config::Config &config) {
  const auto script = sink::schema_script(config.database.schema);
  if (!script) return report(script.error());
  std::cout << *script;
  return 0;
}

void tell(const std::vector<std::string> &roles, std::string_view duty) {
  for (const auto &role : roles) std::cout << fmt::format("role {}: {}\n", role, duty);
}

int grant(const sink::PostgresqlOptions &options, const SchemaOptions &given) {
  const sink::Grants grants{given.writers, given.hosts, given.readers, given.investigators};
  if (grants.empty()) return 0;
  if (const auto granted = sink::grant_roles(options, grants, {}); !granted) return report(granted.error());
  std::string hosts = "each host that is nobody else's";
  if (!given.hosts.empty()) hosts = fmt::format("{}", fmt::join(given.hosts, ", "));
  if (std::find(given.hosts.begin(), given.hosts.end(), "*") != given.hosts.end()) hosts = "any host";
  tell(given.writers, "adds rows, as " + hosts + ", and nothing else");
  tell(given.readers, "reads, with what reader_column says hidden or pseudonymised");
  tell(given.investigators, "reads everything, and places legal holds");
  return 0;
}

int apply(const sink::PostgresqlOptions &options, const SchemaOptions &given) {
  const auto upgrade = sink::apply_schema(options, {});
  if (!upgrade) return report(upgrade.error());
  if (upgrade->from == upgrade->to) {
    std::cout << fmt::format("schema {} is at version {} already\n", options.schema, upgrade->to);
  } else {
    std::cout << fmt::format("schema {}: version {} to {}\n", options.schema, upgrade->from, upgrade->to);
  }
  return grant(options, given);
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
  const sink::Expiry &expired = done->expired;
  std::cout << fmt::format("retention: {} rows dropped, {} partitions with them, {} rows kept under hold\n",
                           expired.rows, expired.partitions, expired.held);
  for (const auto &name : expired.put_off) {
    std::cout << fmt::format("retention: {} is in use; left to the next run\n", name);
  }
  return 0;
}

}  // namespace

int schema(const ConfigFile &file, SchemaAction action, const SchemaOptions &given) {
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
      return apply(options, given);
    case SchemaAction::check:
      return check(options);
    case SchemaAction::maintain:
      return maintain(options);
  }
  return 0;
}

}  // namespace iptrackd::app
