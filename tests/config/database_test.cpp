#include <doctest/doctest.h>

#include "config/support.h"

using namespace iptrackd::config;
using iptrackd::config::test::error_of;
using iptrackd::config::test::loaded;

TEST_CASE("libpq keywords are kept as they are written") {
  const auto config = loaded(
      "database: {host: \"a,b\", port: \"5432,5433\", dbname: db, user: u, passfile: /p, sslmode: "
      "verify-full,\n"
      "  keepalives: 0, connect_timeout: 3, options: \"-c search_path=x\", application_name: x}");
  const std::map<std::string, std::string> expected{{"host", "a,b"},
                                                    {"port", "5432,5433"},
                                                    {"dbname", "db"},
                                                    {"user", "u"},
                                                    {"passfile", "/p"},
                                                    {"sslmode", "verify-full"},
                                                    {"keepalives", "0"},
                                                    {"connect_timeout", "3"},
                                                    {"options", "-c search_path=x"},
                                                    {"application_name", "x"}};
  CHECK(config.database.connection == expected);
  CHECK(loaded("").database.connection.empty());
}

TEST_CASE("every keyword of libpq 15 is known") {
  for (const auto *keyword : {"service",
                              "user",
                              "password",
                              "passfile",
                              "connect_timeout",
                              "dbname",
                              "host",
                              "hostaddr",
                              "port",
                              "client_encoding",
                              "options",
                              "application_name",
                              "fallback_application_name",
                              "keepalives_idle",
                              "keepalives_interval",
                              "keepalives_count",
                              "tcp_user_timeout",
                              "sslcert",
                              "sslkey",
                              "sslpassword",
                              "sslrootcert",
                              "sslcrl",
                              "sslcrldir",
                              "requirepeer",
                              "krbsrvname",
                              "gsslib",
                              "replication",
                              "keepalives",
                              "sslsni",
                              "sslcompression"}) {
    CAPTURE(keyword);
    CHECK(loaded(std::string{"database: {"} + keyword + ": 1}").database.connection.at(keyword) == "1");
  }
  for (const auto *pair :
       {"channel_binding: require", "sslmode: disable", "ssl_min_protocol_version: TLSv1.2",
        "ssl_max_protocol_version: TLSv1.3", "gssencmode: prefer", "target_session_attrs: primary"}) {
    CAPTURE(pair);
    CHECK(loaded(std::string{"database: {"} + pair + "}").database.connection.size() == 1);
  }
}

TEST_CASE("a keyword's value of the wrong form is refused before libpq sees it") {
  CHECK(error_of("database: {port: banana}") ==
        "c.yml:1:18: database.port is 'banana'; write a port from 1 to 65535, or one for each host with "
        "commas in between");
  CHECK_FALSE(error_of("database: {port: 70000}").empty());
  CHECK_FALSE(error_of("database: {port: \"1,x\"}").empty());
  CHECK_FALSE(error_of("database: {port: [5432]}").empty());
  CHECK(error_of("database: {connect_timeout: 1s}") ==
        "c.yml:1:29: database.connect_timeout is '1s'; write a whole number");
  CHECK(error_of("database: {sslmode: verify}") ==
        "c.yml:1:21: database.sslmode is 'verify'; write one of: disable allow prefer require verify-ca "
        "verify-full");
  CHECK_FALSE(error_of("database: {sslmode: \"allow prefer\"}").empty());
}

TEST_CASE("impossible combinations") {
  CHECK(error_of("database:\n  driver-name: jsonl\n") ==
        "c.yml:2:16: the driver jsonl has no file; add 'filename: /path', or \"-\" for stdout");
  CHECK(error_of("database:\n  filename: /x\n") ==
        "c.yml:2:13: database.filename is for the driver jsonl; add 'driver-name: jsonl', or remove it");
  CHECK(error_of("database: {driver-name: jsonl, filename: x}").find("absolute path") != std::string::npos);
  CHECK(error_of("database: {driver-name: jsonl, filename: /run/iptrackd/pam.fifo}").find("same path") !=
        std::string::npos);
  CHECK(error_of("database: {driver-name: mysql}") ==
        "c.yml:1:25: database.driver-name is 'mysql'; write postgresql or jsonl");
  CHECK(error_of("database: {password: x, passfile: /p}") ==
        "c.yml:1:35: database has both password and passfile; keep one, better passfile");
  CHECK(error_of("database: {driver-name: jsonl, filename: \"-\", host: x}").empty());
}

TEST_CASE("a connection string in dbname would hide a password") {
  for (const auto *text : {"postgresql://u:p@h/d", "postgres://h", "host=h password=p"}) {
    CAPTURE(text);
    CHECK(error_of(std::string{"database: {dbname: \""} + text + "\"}").find("is a connection string") !=
          std::string::npos);
  }
}

TEST_CASE("schema names need no quoting in SQL") {
  for (const auto *wrong : {"Upper", "1st", "a-b", "\"a b\"", "pg_x", "\"x;drop\"", "'\"'"}) {
    CAPTURE(wrong);
    CHECK(error_of(std::string{"database: {schema: "} + wrong + "}").find("lower-case letters") !=
          std::string::npos);
  }
  CHECK(error_of("database: {schema: " + std::string(63, 'a') + "}").empty());
  CHECK_FALSE(error_of("database: {schema: " + std::string(64, 'a') + "}").empty());
}

TEST_CASE("batch bounds") {
  for (const auto *wrong :
       {"rows: 0", "rows: 1000001", "bytes: 1K", "bytes: 1GiB", "linger-ms: 0", "linger-ms: 60001"}) {
    CAPTURE(wrong);
    CHECK_FALSE(error_of(std::string{"database: {batch: {"} + wrong + "}}").empty());
  }
}
