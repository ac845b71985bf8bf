// The rules that replace secrets in argv where the file has none. Patterns see argv as lines, one argument a
// line, and what their groups match is replaced; see the comments of config/iptrackd.yml.
#include <array>
#include <string_view>

#include "config/config.h"

namespace iptrackd::config {
namespace {

struct Default {
  std::string_view programs;  // separated by one space
  std::string_view pattern;
};

// Names that secrets go by in NAME=VALUE, --name=value and "name=value" of connection strings.
#define SECRET_NAMES                                                             \
  R"((?:passw(?:or)?d|passphrase|secret|token|credentials?|sshpass|_pass|_pwd|)" \
  R"((?:api|access|secret|private|account)[_-]?key|secret_key_base|rediscli_auth))"

constexpr std::array defaults{
    // PGPASSWORD=x, AWS_SECRET_ACCESS_KEY=x, password=x: anywhere, also within the command line of sh -c.
    Default{"*", R"((?i))" SECRET_NAMES R"(=('[^'\n]*'?[^\s]*|"[^"\n]*"?[^\s]*|[^\s]+))"},
    // --password=x, --api-token=x: all of the argument, blanks included.
    Default{"*", R"((?i)^--?[\w.-]*)" SECRET_NAMES R"(=(.+)$)"},
    // --password x: options with no- in front take no value, one that begins with - is the next option.
    Default{"*", R"((?i)^--(?:(?:http|ftp|proxy|user|db|admin|api|auth|access|client|bearer)-)*)"
                 R"((?:password|passwd|passphrase|secret|token|api-key|access-key|secret-key)\n([^-\n].*)$)"},
    // scheme://user:password@host
    Default{"*", R"(://[^\s/:@]*:([^\s/]+)@)"},
    // HTTP headers: "Authorization: Bearer x", "X-Api-Key: x".
    Default{"*", R"((?i)(?:authorization|private-token|x-[\w-]*(?:key|token)):[ \t]*)"
                 R"((?:(?:basic|bearer|token)[ \t]+)?([^\s"']+))"},
    // Command lines within one argument: sh -c "mysql -px", ssh host "sshpass -p x ...", "curl -u user:x".
    Default{"*", R"(\b(?:mysql|mariadb)[\w-]*[ \t](?:[^\n|;&]*?[ \t])?-p([^\s]+))"},
    Default{"*", R"(\bsshpass[ \t]+-p[ \t]*('[^'\n]*'?[^\s]*|"[^"\n]*"?[^\s]*|[^\s]+))"},
    Default{"*", R"(\bcurl[ \t](?:[^\n|;&]*?[ \t])?(?:-u|--user)[ \t=]*["']?[^\s:"']*:([^\s"']+))"},
    // A variable set for the program that is run: all of the argument, blanks included.
    Default{"env", R"((?i)^\w*)" SECRET_NAMES R"(=(.+)$)"},
    Default{"docker podman", R"((?i)^(?:-e|--env)[\n=]?\w*)" SECRET_NAMES R"(=(.+)$)"},
    Default{"sshpass", R"(^-p\n?(.+)$)"},
    Default{
        "mysql mariadb mysqladmin mariadb-admin mysqldump mariadb-dump mysqlimport mariadb-import mysqlcheck "
        "mariadb-check mysqlshow mariadb-show mysqlbinlog mariadb-binlog mysqlsh",
        R"(^(?:-p|--pass[a-z]*[1-3]?=)(.+)$)"},
    // Short options without a value may stand in front: -sSu user:password.
    Default{"curl", R"(^(?:-[sSLkvfiIgGjJlnNOqRaB0-6#Z]*[uU]|--user|--proxy-user)[\n=]?[^:\n]*:(.+)$)"},
    Default{"curl", R"(^--(?:pass|proxy-pass|oauth2-bearer)[\n=](.+)$)"},
    Default{"ldapsearch ldapadd ldapmodify ldapdelete ldapwhoami ldapcompare", R"(^-[xvnZMcLC]*w\n?(.+)$)"},
    Default{"ldappasswd", R"(^-[xvnZ]*[asw]\n?(.+)$)"},
    Default{"redis-cli", R"(^(?:-a|--pass)\n(.+)$)"},
    Default{"smbclient rpcclient net", R"(^(?:-U|--user)[\n=]?[^%\n]*%(.+)$)"},
    Default{"openssl", R"(\bpass:(.+)$)"},
    Default{"zip unzip", R"(^-[A-Za-z]*P\n?(.+)$)"},
    Default{"7z 7za 7zr", R"(^-p(.+)$)"},
    Default{"useradd usermod", R"(^-p\n?(.+)$)"},
    Default{"mongo mongosh mongodump mongorestore", R"(^-p\n?(.+)$)"},
    Default{"sqlcmd bcp", R"(^-P\n?(.+)$)"},
};
#undef SECRET_NAMES

}  // namespace

std::vector<RedactRule> default_redact_rules() {
  std::vector<RedactRule> rules;
  for (const auto &entry : defaults) {
    auto programs = entry.programs;
    for (auto space = programs.find(' '); space != std::string_view::npos; space = programs.find(' ')) {
      rules.push_back({std::string{programs.substr(0, space)}, std::string{entry.pattern}, {}});
      programs.remove_prefix(space + 1);
    }
    rules.push_back({std::string{programs}, std::string{entry.pattern}, {}});
  }
  return rules;
}

}  // namespace iptrackd::config
