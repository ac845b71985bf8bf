// What `iptrackd schema maintain` drops, keeps and books.
#include "sink/retention.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/role.h"
#include "sink/schema.h"

using namespace iptrackd;
using test::Database;
using test::Role;

namespace {

// A year of days, each with its partition where there is one, told by their age.
struct Store {
  Store() {
    REQUIRE(sink::apply_schema(database.options(), {}).has_value());
    for (const char *host : {"a", "b"}) {
      database.rows(std::string{"SELECT @.register_boot('"} + host +
                    "', 'b0070000-0000-4000-8000-00000000000a')");
    }
  }
  // Noon of that day. HOST: 1 is a, 2 is b.
  void event(int days_ago, const std::string &kind, int host = 1, const std::string &uid = "1000",
             const std::string &pam_user = "NULL") {
    database.rows("INSERT INTO @.event (ts, seq, boot, kind, uid, pam_user) VALUES (" + noon(days_ago) +
                  ", 1, " + std::to_string(host) + ", '" + kind + "', " + uid + ", " + pam_user + ")");
  }
  void partition(int days_ago) {
    database.rows("SELECT @.create_partition((now() AT TIME ZONE 'UTC')::date - " + std::to_string(days_ago) +
                  ")");
  }
  static std::string noon(int days_ago) {
    return "(date_trunc('day', now(), 'UTC') + interval '12 hours' - interval '1 day' * " +
           std::to_string(days_ago) + ")";
  }
  void keep(const std::string &kind, const std::string &interval) {
    database.rows("INSERT INTO @.retention VALUES ('" + kind + "', " + interval +
                  ") ON CONFLICT (kind) DO UPDATE SET keep = excluded.keep");
  }
  void hold(const std::string &columns, const std::string &values) {
    database.rows("INSERT INTO @.legal_hold (" + columns + ", reason) VALUES (" + values + ", 'case 7')");
  }
  sink::Expiry maintain() {
    const auto done = sink::maintain_schema(database.options(), {});
    REQUIRE_MESSAGE(done.has_value(), done.error().message());
    return done->expired;
  }
  // "days-ago kind" of what is left.
  std::vector<std::string> left() {
    return database.rows(
        "SELECT (now() AT TIME ZONE 'UTC')::date - (ts AT TIME ZONE 'UTC')::date || ' ' || kind FROM @.event "
        "ORDER BY ts DESC, kind");
  }
  std::string partitions_before_yesterday() {
    return database.one(
        "SELECT count(*) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = "
        "$q$@.event$q$::regclass AND relname < 'event_' || to_char((now() AT TIME ZONE 'UTC')::date - 1, "
        "'YYYYMMDD')");
  }
  std::string verdict(int days_ago, const std::string &kind, const std::string &host = "a") {
    return database.one("SELECT string_agg(verdict, ' ' ORDER BY from_ts) FROM @.coverage('" + host + "', " +
                        noon(days_ago) + " - interval '1 minute', " + noon(days_ago) +
                        " + interval '1 minute') WHERE kind = '" + kind + "'");
  }
  void watched() {
    database.rows(
        "INSERT INTO @.spool (id, host, delivered) VALUES ('5b001000-0000-4000-8000-000000000001', "
        "'a', now() + interval '1 day')");
    database.rows(
        "INSERT INTO @.host_event (ts, host, boot_id, kind, spool) VALUES (now() - interval '1 year', "
        "'a', 'b0070000-0000-4000-8000-00000000000a', 'start', "
        "'5b001000-0000-4000-8000-000000000001')");
  }
  Database database;
};

using Left = std::vector<std::string>;

}  // namespace

TEST_CASE("retention: until it is set, everything stays") {
  Store store;
  store.partition(40);
  store.event(40, "exec");
  store.event(300, "exec");
  CHECK(store.maintain().rows == 0);
  CHECK(store.left() == Left{"40 exec", "300 exec"});
  CHECK(store.database.one("SELECT kind, keep FROM @.retention") == "*|NULL");
}

TEST_CASE("retention: what is older goes with its partition, and is booked") {
  Store store;
  store.watched();
  for (const int day : {29, 30, 31, 40}) store.partition(day);
  for (const int day : {29, 30, 31, 40}) {
    store.event(day, "exec");
    store.event(day, "connect", 2);
    store.event(day, "exec");
  }
  store.keep("*", "'30 days'");
  const auto done = store.maintain();
  CHECK(done.partitions == 2);
  CHECK(done.rows == 6);
  CHECK(done.held == 0);
  CHECK(done.put_off.empty());
  CHECK(store.left() == Left{"29 connect", "29 exec", "29 exec", "30 connect", "30 exec", "30 exec"});
  CHECK(store.partitions_before_yesterday() == "2");
  CHECK(store.database.rows("SELECT kind, rows, to_ts - from_ts, partition IS NOT NULL, held, dropped_by = "
                            "session_user FROM @.retention_log WHERE from_ts < now() - interval '35 days' "
                            "ORDER BY kind") == Left{"connect|1|1 day|t|0|t", "exec|2|1 day|t|0|t"});
  // Absence proves nothing where something was dropped, and something else where nothing was.
  CHECK(store.verdict(31, "exec") == "expired");
  CHECK(store.verdict(31, "connect") == "expired");
  CHECK(store.verdict(31, "exec", "b") == "blind");
  CHECK(store.verdict(31, "bind") == "covered");
  CHECK(store.verdict(30, "exec") == "covered");
  CHECK(store.maintain().rows == 0);
}

TEST_CASE("retention: one kind goes earlier than the others, row by row") {
  Store store;
  store.watched();
  store.partition(20);
  for (const char *kind : {"exec", "connect", "open_session", "nonsense"}) store.event(20, kind);
  store.keep("*", "'1 year'");
  store.keep("connect", "'7 days'");
  store.keep("open_session", "NULL");
  auto done = store.maintain();
  CHECK(done.partitions == 0);
  CHECK(done.rows == 1);
  CHECK(store.left() == Left{"20 exec", "20 nonsense", "20 open_session"});
  CHECK(store.database.one("SELECT kind, rows, to_ts - from_ts, partition FROM @.retention_log") ==
        "connect|1|1 day|NULL");
  CHECK(store.verdict(20, "connect") == "expired");
  CHECK(store.verdict(20, "exec") == "covered");
  // What comes late, and what a new rule says, is seen to.
  store.event(20, "connect");
  store.database.rows("SELECT pg_stat_force_next_flush()");
  CHECK(store.maintain().rows == 1);
  store.keep("*", "'7 days'");
  done = store.maintain();
  CHECK(done.rows == 2);
  CHECK(done.partitions == 0);
  CHECK(store.left() == Left{"20 open_session"});
}

TEST_CASE("retention: a row that has no partition goes too") {
  Store store;
  store.event(400, "exec");
  store.event(500, "exec");
  store.event(-400, "exec");
  store.keep("*", "'450 days'");
  CHECK(store.maintain().rows == 1);
  CHECK(store.left() == Left{"-400 exec", "400 exec"});
}

TEST_CASE("retention: what is under hold stays, by host, user, login and time, until it is released") {
  Store store;
  for (const int day : {40, 41, 42}) store.partition(day);
  store.event(40, "exec", 1, "1000");
  store.event(40, "exec", 2, "1000");
  store.event(40, "connect", 1, "2000");
  store.event(40, "open_session", 1, "0", "'alice'");
  store.event(41, "exec", 1, "1000");
  store.event(42, "bind", 1, "1000");
  store.keep("*", "'30 days'");
  store.hold("host, uid, from_ts, to_ts", "'a', 1000, " + Store::noon(40) + " - interval '1 hour', " +
                                              Store::noon(40) + " + interval '1 hour'");
  store.hold("login_user", "'alice'");
  store.hold("host, from_ts, to_ts", "'b', " + Store::noon(41) + ", " + Store::noon(41));
  auto done = store.maintain();
  CHECK(done.partitions == 2);
  CHECK(done.rows == 4);
  CHECK(done.held == 2);
  CHECK(store.left() == Left{"40 exec", "40 open_session"});
  CHECK(store.database.rows(
            "SELECT kind, rows, held FROM @.retention_log WHERE partition IS NULL ORDER BY 1") ==
        Left{"connect|1|0", "exec|1|1", "open_session|0|1"});
  CHECK(store.database.one("SELECT count(*) FROM @.activity WHERE host = 'a'") == "2");
  CHECK(store.maintain().rows == 0);

  store.database.rows(
      "UPDATE @.legal_hold SET released_at = now(), released_by = session_user WHERE "
      "login_user = 'alice'");
  CHECK(store.maintain().rows == 1);
  CHECK(store.left() == Left{"40 exec"});
  store.database.rows(
      "UPDATE @.legal_hold SET released_at = now(), released_by = session_user WHERE "
      "released_at IS NULL");
  done = store.maintain();
  CHECK(done.partitions == 1);
  CHECK(store.left().empty());
}

TEST_CASE("retention: a hold of the effective or the login uid is a hold") {
  for (const char *column : {"euid", "loginuid"}) {
    Store store;
    store.partition(40);
    store.database.rows(std::string{"INSERT INTO @.event (ts, seq, boot, kind, uid, "} + column +
                        ") VALUES (" + Store::noon(40) + ", 1, 1, 'exec', 0, 1000)");
    store.keep("*", "'30 days'");
    store.hold("uid", "1000");
    CHECK(store.maintain().rows == 0);
  }
}

TEST_CASE("retention: many blocks are gone through one by one, and booked as one") {
  Store store;
  store.partition(40);
  store.database.rows("INSERT INTO @.event (ts, seq, boot, kind, comm) SELECT " + Store::noon(40) +
                      ", g, 1, 'exec', repeat('x', 7000) FROM generate_series(1, 5000) AS g");
  store.event(40, "bind");
  store.keep("exec", "'30 days'");
  const auto done = store.maintain();
  CHECK(done.rows == 5000);
  CHECK(store.left() == Left{"40 bind"});
  CHECK(store.database.one("SELECT kind, rows FROM @.retention_log") == "exec|5000");
}

TEST_CASE("retention: a partition that is being read is left to the next run") {
  Store store;
  store.partition(40);
  store.event(40, "exec");
  store.keep("*", "'30 days'");
  {
    Database reader;
    const std::string own = reader.options().schema;
    reader.options().schema = store.database.options().schema;
    reader.rows("BEGIN; SELECT count(*) FROM @.activity");
    const auto done = store.maintain();
    reader.rows("COMMIT");
    reader.options().schema = own;
    CHECK(done.rows == 0);
    CHECK(done.put_off.size() == 1);
  }
  CHECK(store.left() == Left{"40 exec"});
  CHECK(store.database.one("SELECT count(*) FROM @.retention_log") == "0");
  CHECK(store.maintain().partitions == 1);
}

TEST_CASE("retention: only the owner carries it out, and investigators place holds") {
  Store store;
  store.partition(40);
  store.event(40, "exec");
  store.keep("*", "'30 days'");
  Role writer{store.database}, investigator{store.database};
  writer.become_writer({"a"});
  investigator.become_investigator();
  for (Role *role : {&writer, &investigator}) {
    CHECK_FALSE(sink::maintain_schema(role->options(), {}).has_value());
    CHECK(role->attempt("UPDATE @.retention SET keep = '1 day'") == "42501");
    CHECK(role->attempt("DELETE FROM @.retention_log") == "42501");
    CHECK(role->attempt("UPDATE @.legal_hold SET released_at = now()") == "42501");
  }
  CHECK(writer.attempt("INSERT INTO @.legal_hold (reason) VALUES ('x')") == "42501");
  CHECK(investigator.attempt("INSERT INTO @.legal_hold (placed_by, reason) VALUES ('x', 'x')") == "42501");
  CHECK(investigator.attempt("INSERT INTO @.legal_hold (host, reason) VALUES ('a', 'case 7')") == "ok");
  CHECK(store.maintain().rows == 0);
  CHECK(store.database.one("SELECT placed_by FROM @.legal_hold") == investigator.name());
}

TEST_CASE("retention: an impossible rule is refused") {
  Store store;
  Role owner{store.database};
  store.database.rows("GRANT ALL ON SCHEMA @ TO " + owner.name());
  store.database.rows("GRANT ALL ON @.retention TO " + owner.name());
  CHECK(owner.attempt("INSERT INTO @.retention VALUES ('exce', '1 day')") == "23514");
  CHECK(owner.attempt("UPDATE @.retention SET keep = '-1 day'") == "23514");
}
