// The command line: which verb, with which options.
#include <CLI/CLI.hpp>
#include <exception>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "app/completion.h"
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
  bool offline = false;
  bool verbose = false;
  WhitelistOptions whitelist;
  std::string shell;
  SchemaOptions schema;
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

int chosen_check(const CommandLine &line) {
  if (line.btf_file) return check_btf(*line.btf_file, line.verbose);
  return line.offline ? check_offline(line.file) : check(line.file);
}

void add_check(CommandLine &line) {
  CLI::App *verb =
      add_verb(line.app, line, "check", "Validate the file, the kernel, permissions and the database",
               [&line] { return chosen_check(line); });
  CLI::Option *offline = verb->add_flag(
      "--offline", line.offline,
      "Only the file, its drop-ins, and the rules and patterns in them, for the host that they "
      "will be copied to. Needs no root; exit code 2 where something is wrong");
  CLI::Option *btf =
      verb->add_option("--btf", line.btf_file,
                       "Instead: would the BPF programs find all that they read in the kernel whose types "
                       "FILE has, and which hooks fit it? FILE is a copy of a kernel's "
                       "/sys/kernel/btf/vmlinux. Needs no root")
          ->type_name("FILE")
          ->excludes("--config")
          ->excludes(offline);
  verb->add_flag("--verbose", line.verbose,
                 "With --btf: also list every field with its offset, and every hook")
      ->needs(btf);
}

void add_grants(CLI::App &apply, SchemaOptions &options) {
  CLI::Option *writer = apply
                            .add_option("--grant-writer", options.writers,
                                        "Also: let this role add rows, and nothing else; may be given again")
                            ->type_name("ROLE");
  apply
      .add_option(
          "--host", options.hosts,
          "As which hosts those of --grant-writer may write; '*' is any. Without it: as each host that "
          "is nobody else's, which is theirs from then on")
      ->type_name("NAME")
      ->needs(writer);
  apply
      .add_option("--grant-reader", options.readers,
                  "Also: let this role read, with arguments, directories and login addresses treated as the "
                  "table reader_column says")
      ->type_name("ROLE");
  apply
      .add_option("--grant-investigator", options.investigators,
                  "Also: let this role read everything, and place legal holds")
      ->type_name("ROLE");
  apply.footer(
      "A role has one duty: what it was granted in the schema before is taken from it. Make the role first:\n"
      "  CREATE ROLE login1 LOGIN PASSWORD '...';\n"
      "  iptrackd schema apply --grant-writer login1 --host login1.example.org\n"
      "docs/database.md tells the rest.");
}

void add_schema(CommandLine &line) {
  CLI::App *schema = line.app.add_subcommand("schema", "The database schema: print, apply, check, maintain");
  schema->require_subcommand(1);
  const auto add = [&](const std::string &name, const std::string &what, SchemaAction action) {
    return add_verb(*schema, line, name, what,
                    [&line, action] { return app::schema(line.file, action, line.schema); });
  };
  add("print", "Print the schema as SQL, for psql", SchemaAction::print);
  add_grants(*add("apply", "Create the schema, or upgrade it in place", SchemaAction::apply), line.schema);
  add("check", "Tell whether the schema is there and of this version", SchemaAction::check);
  add("maintain", "Create partitions ahead of need, and drop what the table retention says",
      SchemaAction::maintain);
}

void add_whitelist_test(CLI::App &parent, CommandLine &line) {
  WhitelistOptions &options = line.whitelist;
  CLI::App *verb =
      add_verb(parent, line, "test", "Would this be dropped, and why? Asks the kernel's own code",
               [&line] { return whitelist(line.file, WhitelistAction::test, line.whitelist); });
  verb->add_option("--exe", options.exe, "The program's file")->type_name("PATH")->required();
  verb->add_option("--kind", options.kind, "What it does")
      ->check(CLI::IsMember({"connect", "accept", "bind", "close", "exec"}))
      ->capture_default_str();
  verb->add_option("--remote", options.remote, "The other end's address")->type_name("ADDR");
  verb->add_option("--port", options.port,
                   "The service's port: of the remote end for connect, of the local end for "
                   "accept and bind, for close that of how the socket was opened")
      ->type_name("PORT");
  verb->add_option("--remote-port", options.remote_port, "Where it is not --port")->type_name("PORT");
  verb->add_option("--local-port", options.local_port, "Where it is not --port")->type_name("PORT");
  verb->add_option("--uid", options.uid, "The real user")->type_name("UID")->capture_default_str();
  verb->add_option("--euid", options.euid, "The effective user; without it the real one")->type_name("UID");
  verb->add_option("arguments", options.arguments, "With --kind exec: its arguments, behind --");
  verb->add_flag("--json", options.json, "JSON instead of sentences");
}

void add_whitelist_change(CLI::App &parent, CommandLine &line, const std::string &name,
                          const std::string &what, WhitelistAction action) {
  CLI::App *verb = add_verb(parent, line, name, what,
                            [&line, action] { return whitelist(line.file, action, line.whitelist); });
  CLI::Option *network =
      verb->add_flag("--network", line.whitelist.network,
                     action == WhitelistAction::clear ? "This list alone" : "The list, unless --exec");
  verb->add_flag("--exec", line.whitelist.exec,
                 action == WhitelistAction::clear ? "This list alone" : "The list of exec rules")
      ->excludes(network);
  if (action == WhitelistAction::clear) return;
  CLI::Option *rules =
      verb->add_option("rules", line.whitelist.rules, "Rules; one may also hold several, with commas")
          ->type_name("RULE");
  if (action != WhitelistAction::replace) {
    rules->required();
    return;
  }
  CLI::Option *from =
      verb->add_option("--from", line.whitelist.from,
                       "Take both lists from the section whitelist of FILE, as `list --save` writes it")
          ->type_name("FILE");
  from->excludes(rules);
}

void add_whitelist(CommandLine &line) {
  CLI::App *verb = line.app.add_subcommand(
      "whitelist", "The rules by which events are dropped in the kernel: of a running daemon, until it ends");
  verb->require_subcommand(1);
  verb->footer(
      "Network rules: PROGRAM|i<ADDR/BITS>|p<PORT>|rp<LOW-HIGH>|lp<PORT>|u<UID>|k<connect,close>, fields in "
      "any order.\n"
      "Exec rules:    PROGRAM|first arguments. PROGRAM is a path, or * for any program.\n"
      "  iptrackd whitelist add '/usr/sbin/sshd|i<10.0.0.0/8>|p<22>'\n"
      "  iptrackd whitelist test --exe /usr/sbin/sshd --kind accept --remote 10.1.2.3 --port 22");
  CLI::App *list =
      add_verb(*verb, line, "list", "The rules in force, whoever entered them, and how often each matched",
               [&line] { return whitelist(line.file, WhitelistAction::list, line.whitelist); });
  CLI::Option *json = list->add_flag("--json", line.whitelist.json, "One JSON object instead of a table");
  list->add_flag("--save", line.whitelist.save, "As YAML, for the configuration")->excludes(json);
  add_whitelist_change(*verb, line, "add", "Put rules in force beside the others", WhitelistAction::add);
  add_whitelist_change(*verb, line, "del", "Take rules out", WhitelistAction::del);
  add_whitelist_change(*verb, line, "replace", "Put rules in the place of all of a list, at once",
                       WhitelistAction::replace);
  add_whitelist_change(*verb, line, "clear", "Take out all rules, of both lists or of one",
                       WhitelistAction::clear);
  add_whitelist_change(*verb, line, "encode", "Print the bpftool commands that would add rules",
                       WhitelistAction::encode);
  add_whitelist_test(*verb, line);
}

// Hidden: it is for the build, which puts what it prints where shells look for it.
void add_completion(CommandLine &line) {
  CLI::App *verb = line.app.add_subcommand("completion", "Print a script that completes this command line");
  verb->group("");
  verb->add_option("shell", line.shell)->required()->check(CLI::IsMember({"bash", "zsh"}));
  verb->callback([&line] {
    line.chosen = [&line] {
      std::cout << (line.shell == "bash" ? bash_completion(line.app) : zsh_completion(line.app));
      return 0;
    };
  });
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
  add_whitelist(line);
  add_schema(line);
  add_completion(line);
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
