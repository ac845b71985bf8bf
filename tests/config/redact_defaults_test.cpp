#include <doctest/doctest.h>

#include <string>
#include <utility>
#include <vector>

#include "config/config.h"
#include "loader/redactor.h"

using iptrackd::Event;
using iptrackd::loader::Redactor;

namespace {

Redactor make() {
  std::vector<Redactor::Rule> rules;
  for (const auto &rule : iptrackd::config::default_redact_rules())
    rules.push_back({rule.exe, rule.pattern, rule.at.to_string()});
  auto made = Redactor::create(rules);
  REQUIRE_MESSAGE(made, (made ? "" : made.error().message()));
  return std::move(*made);
}

// ARGV with "|" between arguments, redacted; exe is /usr/bin/argv[0].
std::string redacted(const std::string &text) {
  static const Redactor redactor = make();
  std::string argv = text + '|';
  for (char &c : argv) c = c == '|' ? '\0' : c;
  Event event;
  event.exe.assign("/usr/bin/" + text.substr(0, text.find('|')));
  event.args.assign(argv);
  redactor.apply(event);
  std::string out{event.args.bytes()};
  out.pop_back();
  for (char &c : out) c = c == '\0' ? '|' : c;
  return out;
}

using Cases = std::vector<std::pair<std::string, std::string>>;

void check(const Cases &cases) {
  for (const auto &argv_and_result : cases) {
    CAPTURE(argv_and_result.first);
    CHECK(redacted(argv_and_result.first) == argv_and_result.second);
  }
}

}  // namespace

TEST_CASE("programs that take a password as an argument") {
  check({{"sshpass|-p|s3cret|ssh|host", "sshpass|-p|***|ssh|host"},
         {"sshpass|-ps3cret|ssh|-p|22|host", "sshpass|-p***|ssh|-p|***|host"},
         {"sshpass|-f|file|ssh|host", "sshpass|-f|file|ssh|host"},
         {"mysql|-u|root|-ps3cret|db", "mysql|-u|root|-p***|db"},
         {"mysql|-p|db", "mysql|-p|db"},
         {"mysqldump|--password=a b|db", "mysqldump|--password=***|db"},
         {"mysqladmin|--pass=x", "mysqladmin|--pass=***"},
         {"mariadb|-px|-hdb", "mariadb|-p***|-hdb"},
         {"curl|-u|ann:x|https://h/", "curl|-u|ann:***|https://h/"},
         {"curl|-sSuann:x y|h", "curl|-sSuann:***|h"},
         {"curl|--user|ann:x:y|h", "curl|--user|ann:***|h"},
         {"curl|--user=ann:x|h", "curl|--user=ann:***|h"},
         {"curl|-u|ann|https://h:8080/", "curl|-u|ann|https://h:8080/"},
         {"curl|-XPUT|http://h:80/", "curl|-XPUT|http://h:80/"},
         {"curl|-H|Authorization: Bearer x|h", "curl|-H|Authorization: Bearer ***|h"},
         {"curl|-HX-Api-Key: x|h", "curl|-HX-Api-Key: ***|h"},
         {"curl|-H|User-Agent: x|h", "curl|-H|User-Agent: x|h"},
         {"curl|--oauth2-bearer|x|h", "curl|--oauth2-bearer|***|h"},
         {"wget|--user=ann|--password=x|h", "wget|--user=ann|--password=***|h"},
         {"wget|--http-password|x|h", "wget|--http-password|***|h"},
         {"ldapsearch|-x|-D|cn=a|-w|x|-s|sub", "ldapsearch|-x|-D|cn=a|-w|***|-s|sub"},
         {"redis-cli|-a|x|ping", "redis-cli|-a|***|ping"},
         {"smbclient|-U|ann%x|//h/s", "smbclient|-U|ann%***|//h/s"},
         {"openssl|rsa|-passin|pass:x", "openssl|rsa|-passin|pass:***"},
         {"zip|-rP|x|a.zip", "zip|-rP|***|a.zip"},
         {"7z|a|-px|a.7z", "7z|a|-p***|a.7z"},
         {"usermod|-p|$6$x|ann", "usermod|-p|***|ann"},
         {"mongosh|-u|a|-p|x", "mongosh|-u|a|-p|***"},
         {"docker|run|-e|DB_PASSWORD=a b|image", "docker|run|-e|DB_PASSWORD=***|image"},
         {"vault|login|--token|x", "vault|login|--token|***"}});
}

TEST_CASE("variables with secrets in them") {
  check({{"env|PGPASSWORD=a b|psql", "env|PGPASSWORD=***|psql"},
         {"env|AWS_SECRET_ACCESS_KEY=x|AWS_REGION=y|aws", "env|AWS_SECRET_ACCESS_KEY=***|AWS_REGION=y|aws"},
         {"env|PWD=/home|PASSAGE=x|cmd", "env|PWD=/home|PASSAGE=x|cmd"},
         {"sudo|PGPASSWORD=x|psql|-h|db", "sudo|PGPASSWORD=***|psql|-h|db"},
         {"make|GITHUB_TOKEN=x|all", "make|GITHUB_TOKEN=***|all"},
         {"sh|-c|MYSQL_PWD=x mysql -h db", "sh|-c|MYSQL_PWD=*** mysql -h db"},
         {"sh|-c|export SSHPASS='a b'; ssh h", "sh|-c|export SSHPASS=*** ssh h"},
         {"sh|-c|DB_PASS=\"a b\" run", "sh|-c|DB_PASS=*** run"},
         {"sh|-c|DB_PASSWORD='cut off here", "sh|-c|DB_PASSWORD=***"},
         {"psql|host=h password=x dbname=d", "psql|host=h password=*** dbname=d"},
         {"java|-Dspring.datasource.password=x y|-jar|a", "java|-Dspring.datasource.password=***|-jar|a"}});
}

TEST_CASE("secrets in addresses") {
  check({{"git|clone|https://ann:x@h/r.git", "git|clone|https://ann:***@h/r.git"},
         {"psql|postgresql://ann:p@ss@h:5432/d", "psql|postgresql://ann:***@h:5432/d"},
         {"git|clone|https://:x@h/", "git|clone|https://:***@h/"},
         {"git|clone|https://ann@h:80/r", "git|clone|https://ann@h:80/r"},
         {"ssh|ann@h", "ssh|ann@h"},
         {"curl|http://h:80/a:b@c", "curl|http://h:80/a:b@c"}});
}

TEST_CASE("command lines within one argument") {
  check({{"sh|-c|mysql -uroot -px db", "sh|-c|mysql -uroot -p*** db"},
         {"ssh|h|mysqldump -px db | gzip", "ssh|h|mysqldump -p*** db | gzip"},
         {"bash|-c|sshpass -p 'a b' ssh h", "bash|-c|sshpass -p *** ssh h"},
         {"bash|-c|curl -s -u ann:x https://h", "bash|-c|curl -s -u ann:*** https://h"},
         {"bash|-c|mysql -p db; mkdir -pv x", "bash|-c|mysql -p db; mkdir -pv x"}});
}

TEST_CASE("a wrapper's argv holds the secret of the program that it runs") {
  check({{"sudo|-u|root|mysql|-px", "sudo|-u|root|mysql|-p***"},
         {"timeout|5|/usr/bin/sshpass|-p|x|ssh|h", "timeout|5|/usr/bin/sshpass|-p|***|ssh|h"}});
}

TEST_CASE("ordinary commands are left alone") {
  for (const auto *argv : {"ls|-la|/tmp", "mkdir|-p|a/b", "cp|-pr|a|b", "ssh|-p|2222|h", "tar|-xpf|a.tar",
                           "ps|-u|root", "passwd|ann", "psql|--password|-h|db", "grep|password|/etc/x",
                           "keytool|-list", "gcc|-DTOKEN_MAX=3|a.c", "rsync|--password-file=/x|a|b",
                           "git|log|--author=a:b@c", "python3|-m|secrets"}) {
    CAPTURE(argv);
    CHECK(redacted(argv) == argv);
  }
}
