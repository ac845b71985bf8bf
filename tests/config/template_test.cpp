// config/iptrackd.yml is the documentation of every key: it must say what the code does.
#include <doctest/doctest.h>
#include <sys/utsname.h>

#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "config/fill.h"
#include "config/load.h"
#include "config/section.h"
#include "config/tree.h"

using namespace iptrackd::config;

namespace {

const std::string path = IPTRACKD_TEMPLATE;

std::string content() {
  std::ostringstream text;
  text << std::ifstream{path}.rdbuf();
  return text.str();
}

}  // namespace

TEST_CASE("the template is the defaults, written out") {
  const auto config = load(path);
  REQUIRE_MESSAGE(config, (config ? "" : config.error().message()));
  utsname names{};
  REQUIRE(::uname(&names) == 0);
  Config expected;
  expected.host_name = static_cast<const char *>(names.nodename);
  // The build may have another prefix than the template's.
  expected.pam.fifo_file = "/run/iptrackd/pam.fifo";
  CHECK(*config == expected);
  CHECK(config->redact == expected.redact);
  CHECK(config->probes == expected.probes);
  CHECK(config->log_pool == expected.log_pool);
  CHECK(config->database == expected.database);
}

TEST_CASE("the template names every key that the code reads") {
  Findings findings;
  const auto tree = parse_tree(content(), path);
  REQUIRE(tree);
  static_cast<void>(fill(*tree, findings));
  // Connection keywords are libpq's; the template shows the usual ones.
  const std::set<std::string> own{"driver-name", "schema", "batch", "filename"};
  const auto text = content();
  for (const auto &key : findings.known_keys()) {
    const auto name = key.substr(key.rfind('.') + 1);
    if (key.rfind("database.", 0) == 0 && key.rfind('.') == 8 && own.count(name) == 0) continue;
    CAPTURE(key);
    CHECK(text.find(name + ":") != std::string::npos);
  }
  CHECK(findings.known_keys().size() > 60);
}
