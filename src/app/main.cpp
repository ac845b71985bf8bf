// The command line: which verb, with which options.
#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "app/log.h"
#include "app/verbs.h"
#include "iptrackd/build_options.h"

namespace iptrackd::app {
namespace {

constexpr int usage_error = 2;

struct CommandLine {
  CLI::App app{"Who, logged in from which address, ran what, and talked to whom: in SQL.", "iptrackd"};
  ConfigFile file{IPTRACKD_CONFIG_FILE, false};
  bool json = false;
  bool detach = false;
  std::optional<std::string> btf_file;
  bool verbose = false;
  std::function<int()> chosen;
};

CLI::App *add_verb(CLI::App &parent, CommandLine &line, const std::string &name, const std::string &what,
                   std::function<int()> body) {
  CLI::App *verb = parent.add_subcommand(name, what);
  verb->add_option("-c,--config", line.file.path, "Configuration file")
      ->type_name("FILE")
      ->capture_default_str();
  verb->callback([&line, verb, body = std::move(body)] {
    line.file.given = verb->count("--config") > 0;
    line.chosen = body;
  });
  return verb;
}

void add_check(CommandLine &line) {
  CLI::App *verb = add_verb(
      line.app, line, "check", "Validate the file, the kernel, permissions and the database",
      [&line] { return line.btf_file ? check_btf(*line.btf_file, line.verbose) : check(line.file); });
  CLI::Option *btf =
      verb->add_option("--btf", line.btf_file,
                       "Instead: would the BPF programs find all that they read in the kernel whose types "
                       "FILE has, and which hooks fit it? FILE is a copy of a kernel's "
                       "/sys/kernel/btf/vmlinux. Needs no root")
          ->type_name("FILE")
          ->excludes("--config");
  verb->add_flag("--verbose", line.verbose,
                 "With --btf: also list every field with its offset, and every hook")
      ->needs(btf);
}

void add_schema(CommandLine &line) {
  CLI::App *schema = line.app.add_subcommand("schema", "The database schema: print, apply, check, maintain");
  schema->require_subcommand(1);
  const auto add = [&](const std::string &name, const std::string &what, SchemaAction action) {
    add_verb(*schema, line, name, what, [&line, action] { return app::schema(line.file, action); });
  };
  add("print", "Print the schema as SQL, for psql", SchemaAction::print);
  add("apply", "Create the schema, or upgrade it in place", SchemaAction::apply);
  add("check", "Tell whether the schema is there and of this version", SchemaAction::check);
  add("maintain", "Create partitions ahead of need", SchemaAction::maintain);
}

void add_verbs(CommandLine &line) {
  line.app.require_subcommand(1);
  line.app.set_version_flag("-V,--version", "iptrackd " IPTRACKD_VERSION);
  line.app.set_help_flag("-h,--help", "Print this help");
  line.app.footer(
      "First steps:\n"
      "  iptrackd check            would it work here? one line a finding\n"
      "  iptrackd check --btf F    would it work on another kernel, whose types F has?\n"
      "  iptrackd schema apply     create the tables\n"
      "  iptrackd run              the daemon, in the foreground\n"
      "then, in psql:\n"
      "  SELECT ts, kind, uid, exe, args, remote_addr FROM iptrackd.activity ORDER BY ts DESC LIMIT 20;\n"
      "\nExit codes: 0 success, 1 failure at run time, 2 usage or configuration error.");
  add_verb(line.app, line, "run", "Run the daemon in the foreground; SIGTERM and Ctrl-C flush and stop",
           [&line] { return run(line.file); });
  add_check(line);
  CLI::App *verb =
      add_verb(line.app, line, "probes", "Each hook: mechanism, attached or not, and why",
               [&line] { return line.detach ? detach(line.file) : probes(line.file, line.json); });
  CLI::Option *as_json = verb->add_flag("--json", line.json, "One JSON array instead of a table");
  verb->add_flag("--detach", line.detach,
                 "Instead: take out of the kernel what a daemon that has ended left there at work "
                 "(bpf.keep-on-exit)")
      ->excludes(as_json);
  add_verb(line.app, line, "status", "What a running daemon has seen, stored and lost", [&line] {
    return status(line.file, line.json);
  })->add_flag("--json", line.json, "One JSON object instead of a table");
  add_schema(line);
}

int main_guarded(int argc, char **argv) {
  CommandLine line;
  add_verbs(line);
  try {
    line.app.parse(argc, argv);
  } catch (const CLI::ParseError &error) {
    return line.app.exit(error) == 0 ? 0 : usage_error;
  }
  return line.chosen ? line.chosen() : usage_error;
}

}  // namespace
}  // namespace iptrackd::app

int main(int argc, char **argv) {
  try {
    iptrackd::app::log_to_stderr();
    return iptrackd::app::main_guarded(argc, argv);
  } catch (const std::exception &error) {
    std::cerr << "iptrackd: " << error.what() << '\n';
    return 1;
  }
}
