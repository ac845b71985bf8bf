#include "sink/schema.h"

#include <doctest/doctest.h>

#include <future>
#include <string>

#include "sink/database.h"
#include "sink/migrations.h"
#include "sink/role.h"

using namespace iptrackd;
using test::Database;

namespace {

const std::string columns =
    "ts timestamp with time zone,host text,boot_id uuid,seq bigint,kind text,result integer,pid integer,tid "
    "integer,"
    "ppid integer,sid integer,tty text,uid bigint,gid bigint,euid bigint,egid bigint,loginuid bigint,"
    "audit_session bigint,comm text,exe text,args text[],args_truncated boolean,cwd text,proto "
    "text,local_addr inet,"
    "local_port integer,remote_addr inet,remote_port integer,duration interval,bytes_sent bigint,"
    "bytes_received bigint,cgroup text,login_id bigint,login_user text,login_addr inet,login_port integer,"
    "pam_service text,pam_user text,pam_rhost text,container text,job text,exe_dev text,exe_inode bigint,"
    "mnt_ns bigint,opener_pid integer,marks text[],writer text,received_at timestamp with time zone";

std::string columns_of_activity(Database &database) {
  return database.one(
      "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',' ORDER BY attnum) "
      "FROM pg_attribute WHERE attrelid = $q$@.activity$q$::regclass AND attnum > 0");
}

}  // namespace

TEST_CASE("apply makes the contract's view, and a second time does nothing") {
  Database database;
  const auto first = sink::apply_schema(database.options(), {});
  REQUIRE(first.has_value());
  CHECK(first->from == 0);
  CHECK(first->to == sink::latest_schema_version());
  CHECK(columns_of_activity(database) == columns);
  const auto second = sink::apply_schema(database.options(), {});
  REQUIRE(second.has_value());
  CHECK(second->from == sink::latest_schema_version());
  CHECK(second->to == sink::latest_schema_version());
  CHECK(database.one("SELECT count(*) FROM @.schema_version") ==
        std::to_string(sink::latest_schema_version()));
  const auto state = sink::check_schema(database.options(), {});
  REQUIRE(state.has_value());
  CHECK(state->findings.empty());
  CHECK(state->days_ahead == 8);
  CHECK(state->strays == 0);
}

TEST_CASE("an older schema is upgraded in place and keeps its rows") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}, 1).has_value());
  const auto before = sink::check_schema(database.options(), {});
  REQUIRE(before.has_value());
  REQUIRE(before->findings.size() == 1);
  CHECK(before->findings[0].find("has version 1, this program needs") != std::string::npos);
  database.rows("INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, 1, 'exec')");
  const auto upgraded = sink::apply_schema(database.options(), {});
  REQUIRE(upgraded.has_value());
  CHECK(upgraded->from == 1);
  CHECK(upgraded->to == sink::latest_schema_version());
  CHECK(database.one("SELECT count(*) FROM @.activity") == "1");
}

TEST_CASE("hosts that were there before spools keep their rows, and take them up when they come back") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}, 2).has_value());
  const std::string boot = "'0a1b2c3d-0000-4000-8000-00000000000f'";
  database.rows("SELECT @.register_host('old', " + boot + ", '0.1.0', NULL)");
  database.rows(
      "INSERT INTO @.loss (from_ts, to_ts, host, stage, cause) VALUES (now(), now(), 'old', 's', 'c')");
  database.rows("INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, 1, 'exec')");
  database.rows("UPDATE @.hosts SET first_seen = '2020-01-01'");
  const auto upgraded = sink::apply_schema(database.options(), {});
  REQUIRE_MESSAGE(upgraded.has_value(), upgraded.error().message());
  CHECK(database.one("SELECT host, spool, version FROM @.hosts") == "old|NULL|0.1.0");
  CHECK(database.one("SELECT count(*) FROM @.activity WHERE host = 'old'") == "1");
  CHECK(database.one("SELECT host, spool FROM @.loss") == "old|NULL");
  // A writer of the version before that is still connected goes on.
  database.rows("SELECT @.sign_of_life(1)");
  for (const char *spool : {"1", "2"}) {
    database.rows("SELECT @.register_host('5b001000-0000-4000-8000-00000000000" + std::string{spool} +
                  "', 'old', " + boot + ", '0.2.0', NULL)");
  }
  CHECK(database.rows(
            "SELECT right(spool::text, 1), version, first_seen < '2021-01-01' FROM @.hosts ORDER BY 1") ==
        std::vector<std::string>{"1|0.2.0|t", "2|0.2.0|f"});
}

TEST_CASE("a schema of version 3 is upgraded with its rows, and its daemons go on") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}, 3).has_value());
  test::Role other{database};
  database.rows("GRANT USAGE ON SCHEMA @ TO " + other.name());
  database.rows("GRANT ALL ON ALL TABLES IN SCHEMA @ TO " + other.name());
  database.rows("GRANT ALL ON ALL FUNCTIONS IN SCHEMA @ TO " + other.name());
  const std::string spool = "'5b001000-0000-4000-8000-000000000001'";
  const std::string boot = "'0a1b2c3d-0000-4000-8000-00000000000f'";
  const auto daemon = [&](auto &role, const std::string &host, const std::string &id) {
    role.rows("SELECT @.register_spool(" + id + ", '" + host + "')");
    role.rows("SELECT @.register_host(" + id + ", '" + host + "', " + boot + ", '0.2.0', NULL)");
    role.rows("SELECT @.register_boot('" + host + "', " + boot + ")");
    role.rows(
        "INSERT INTO @.event (ts, seq, boot, kind, args) VALUES (now(), 1, (SELECT id FROM @.boot WHERE "
        "host = '" +
        host + "'), 'exec', '{a,b}')");
    role.rows("SELECT @.sign_of_life(" + id + ", NULL, NULL, 0, '')");
  };
  const std::string other_spool = "'5b001000-0000-4000-8000-000000000002'";
  daemon(database, "old", spool);
  daemon(other, "by hand", other_spool);
  database.rows("SELECT @.register_boot('never announced', " + boot + ")");
  const std::string rows =
      "SELECT md5(string_agg(a::text, ' ' ORDER BY host)), count(*) FROM @.activity AS a";
  const std::string before = database.one(rows);
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  CHECK(database.one(rows) == before);
  CHECK(database.one("SELECT @.oldest_writer()") == "3");
  daemon(database, "old", spool);
  daemon(other, "by hand", other_spool);
  CHECK(database.one("SELECT count(*) FROM @.activity") == "4");
  // Whoever comes first now gets none of those names.
  test::Role late{database};
  late.become_writer();
  for (const char *host : {"old", "by hand", "never announced"}) {
    CHECK(late.attempt(std::string{"SELECT @.register_boot('"} + host + "', " + boot + ")") == "42501");
  }
  CHECK(other.attempt("SELECT @.register_boot('old', " + boot + ")") == "42501");
}

TEST_CASE("many runs at once apply each migration once") {
  Database database;
  std::vector<std::future<bool>> runs;
  for (int i = 0; i < 6; ++i) {
    runs.push_back(std::async(
        std::launch::async, [&database] { return sink::apply_schema(database.options(), {}).has_value(); }));
  }
  for (auto &run : runs) CHECK(run.get());
  CHECK(database.one("SELECT count(*) FROM @.schema_version") ==
        std::to_string(sink::latest_schema_version()));
}

TEST_CASE("a newer schema that still takes this program's daemons is no hindrance to them") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  database.rows("INSERT INTO @.schema_version (version, name) VALUES (999, 'future')");
  const auto state = sink::check_schema(database.options(), {});
  REQUIRE(state.has_value());
  CHECK(state->findings.empty());
  CHECK(sink::maintain_schema(database.options(), {}).has_value());
  CHECK_FALSE(sink::apply_schema(database.options(), {}).has_value());
}

TEST_CASE("a missing schema is a finding, a newer one is left alone") {
  Database database;
  const auto missing = sink::check_schema(database.options(), {});
  REQUIRE(missing.has_value());
  REQUIRE(missing->findings.size() == 1);
  CHECK(missing->findings[0] == "the database has no iptrackd schema; run `iptrackd schema apply`");

  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  database.rows("INSERT INTO @.schema_version (version, name) VALUES (999, 'future')");
  database.rows("CREATE OR REPLACE FUNCTION @.oldest_writer() RETURNS integer LANGUAGE sql AS 'SELECT 999'");
  const auto newer = sink::check_schema(database.options(), {});
  REQUIRE(newer.has_value());
  REQUIRE(newer->findings.size() == 1);
  CHECK(newer->findings[0].find("newer than this program's") != std::string::npos);
  const auto refused = sink::apply_schema(database.options(), {});
  REQUIRE(!refused);
  CHECK(refused.error().fault() == Fault::environment);
  const auto maintained = sink::maintain_schema(database.options(), {});
  REQUIRE(!maintained);
  CHECK(maintained.error().fault() == Fault::environment);
}

TEST_CASE("a migration that fails leaves the version before it") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}, 1).has_value());
  database.rows("CREATE VIEW @.inet_log AS SELECT 1");
  const auto failed = sink::apply_schema(database.options(), {});
  REQUIRE(!failed);
  CHECK(failed.error().message().find("migration 0002-login-views") == 0);
  CHECK(database.one("SELECT max(version) FROM @.schema_version") == "1");
  CHECK(database.one("SELECT to_regtype($q$@.log_event_t$q$)") == "NULL");
  database.rows("DROP VIEW @.inet_log");
  CHECK(sink::apply_schema(database.options(), {}).has_value());
}

TEST_CASE("the printed script does what apply does") {
  Database database;
  const auto script = sink::schema_script(database.options().schema);
  REQUIRE(script.has_value());
  CHECK(script->find("@schema@") == std::string::npos);
  database.rows(*script);
  const auto state = sink::check_schema(database.options(), {});
  REQUIRE(state.has_value());
  CHECK(state->findings.empty());
  CHECK(columns_of_activity(database) == columns);
  CHECK(!sink::schema_script("").has_value());
}

TEST_CASE("partitions that ran out are a finding, and maintain makes them") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  database.rows(
      "DO $do$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid FROM pg_inherits JOIN pg_class ON oid = "
      "inhrelid WHERE inhparent = $q$@.event$q$::regclass AND relname <> 'event_default' "
      "LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $do$");
  auto state = sink::check_schema(database.options(), {});
  REQUIRE(state.has_value());
  CHECK(state->days_ahead == 0);
  REQUIRE(state->findings.size() == 1);
  CHECK(state->findings[0].find("schema maintain") != std::string::npos);
  database.rows("INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, 1, 'exec')");
  const auto maintained = sink::maintain_schema(database.options(), {});
  REQUIRE(maintained.has_value());
  CHECK(maintained->created == 9);
  CHECK(database.one("SELECT count(*) FROM @.event_default") == "0");
  CHECK(database.one("SELECT count(*) FROM @.event") == "1");
  state = sink::check_schema(database.options(), {});
  REQUIRE(state.has_value());
  CHECK(state->findings.empty());
  // A partition made later has the same indexes as those made at first.
  CHECK(
      database.one(
          "SELECT count(DISTINCT n) || ' ' || min(n) FROM (SELECT count(*) AS n FROM pg_inherits JOIN "
          "pg_index ON indrelid = inhrelid WHERE inhparent = $q$@.event$q$::regclass GROUP BY inhrelid) s") ==
      "1 4");
}

TEST_CASE(
    "partitions are made beside a writer; a reader of the default partition puts them off to the next call") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  const auto drop_last_partition = [&database] {
    database.rows(
        "DO $do$ BEGIN EXECUTE (SELECT 'DROP TABLE ' || max(inhrelid::regclass::text) FROM pg_inherits "
        "JOIN pg_class ON oid = inhrelid WHERE inhparent = $q$@.event$q$::regclass "
        "AND relname <> 'event_default'); END $do$");
  };
  Database other;
  const std::string own_schema = other.options().schema;
  other.options().schema = database.options().schema;

  drop_last_partition();
  other.rows("BEGIN; INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, 1, 'exec')");
  const auto beside_writer = sink::maintain_schema(database.options(), {});
  other.rows("COMMIT");
  drop_last_partition();
  other.rows("BEGIN; SELECT count(*) FROM @.activity");
  const auto put_off = sink::maintain_schema(database.options(), {});
  other.rows("COMMIT");
  const auto made_up_for = sink::maintain_schema(database.options(), {});
  other.options().schema = own_schema;

  REQUIRE(beside_writer.has_value());
  CHECK(beside_writer->created == 1);
  REQUIRE(put_off.has_value());
  CHECK(put_off->created == 0);
  REQUIRE(made_up_for.has_value());
  CHECK(made_up_for->created == 1);
}

TEST_CASE("the seed's views summarise logins, IPv6 by its own prefixes") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  const auto boot = [&database](const std::string &id) {
    database.rows("SELECT @.register_boot('a', '" + id + "')");
    database.rows("SELECT @.register_host('5b001000-0000-4000-8000-000000000001', 'a', '" + id +
                  "', NULL, NULL)");
  };
  boot("0a1b2c3d-0000-4000-8000-00000000000f");
  const auto login = [&](int seq, const char *kind, const char *from, int port, const char *when) {
    database.rows(
        "INSERT INTO @.event (ts, seq, boot, kind, ppid, local_addr, remote_addr, remote_port, pam_service, "
        "pam_user) VALUES (timestamptz '2026-01-01 00:00:00+00' + interval '" +
        std::string{when} + "', " + std::to_string(seq) + ", 1, '" + kind + "', 77, '192.0.2.1', '" + from +
        "', " + std::to_string(port) + ", 'sshd', 'alice')");
  };
  login(1, "auth", "198.51.100.7", 1000, "1 second");
  login(2, "open_session", "198.51.100.7", 1000, "2 seconds");
  login(3, "open_session", "198.51.100.9", 1001, "3 seconds");
  login(4, "close_session", "198.51.100.7", 1000, "62 seconds");
  login(5, "auth", "2001:db8:1:2:3::4", 1002, "70 seconds");
  login(6, "exec", "203.0.113.1", 1, "71 seconds");

  CHECK(database.one("SELECT count(*) FROM @.inet_log") == "5");
  CHECK(database.one("SELECT dst_ipaddr, log_event, sshd_pid, uid, log_date FROM @.inet_log WHERE seq = 1") ==
        "192.0.2.1|auth|77|alice|2026-01-01 00:00:01+00");
  CHECK(
      database.one("SELECT log_count, end_date - start_date FROM @.ips WHERE src_ipaddr = '198.51.100.7'") ==
      "3|00:01:01");
  CHECK(database.one("SELECT log_count FROM @.agg_ips WHERE ipaddr = '198.51.100.9'") == "1");
  const auto nets = [&](const std::string &from) {
    return database.one("SELECT string_agg(n::text || ' ' || c, ', ' ORDER BY n) FROM (SELECT " + from +
                        ") s");
  };
  CHECK(nets("src_ipaddr AS n, log_count AS c FROM @.nets_24") == "198.51.100.0/24 4, 2001:db8:1:2::/64 1");
  CHECK(nets("src_ipaddr AS n, log_count AS c FROM @.nets_16") == "198.51.0.0/16 4, 2001:db8:1::/48 1");
  CHECK(nets("src_ipaddr AS n, log_count AS c FROM @.nets_8") == "198.0.0.0/8 4, 2001:db8::/32 1");
  CHECK(nets("ipaddr AS n, log_count AS c FROM @.agg_nets_24") == "198.51.100.0/24 4, 2001:db8:1:2::/64 1");
  CHECK(nets("ipaddr AS n, log_count AS c FROM @.agg_nets_view(32)") ==
        "198.51.100.7/32 3, 198.51.100.9/32 1, 2001:db8:1:2:3::4/128 1");
  CHECK(nets("src_ipaddr AS n, log_count AS c FROM @.nets_view(0)") == "0.0.0.0/0 4, ::/0 1");

  CHECK(database.one("SELECT src_ipaddr, src_port, method, duration FROM @.completed_sessions") ==
        "198.51.100.7|1000|pam|00:01:00");
  CHECK(database.one("SELECT src_ipaddr, src_port, method FROM @.open_sessions") ==
        "198.51.100.9|1001|not pam");
  boot("0a1b2c3d-0000-4000-8000-0000000000ff");
  CHECK(database.one("SELECT count(*) FROM @.open_sessions") == "0");
}

TEST_CASE("nobody else may call the functions that run as the owner") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  CHECK(
      database.one(
          "SELECT count(*) FROM pg_proc WHERE pronamespace = (SELECT relnamespace FROM pg_class WHERE oid = "
          "$q$@.event$q$::regclass) AND prosecdef AND "
          "(proacl IS NULL OR EXISTS (SELECT FROM aclexplode(proacl) WHERE grantee = 0))") == "0");
}
