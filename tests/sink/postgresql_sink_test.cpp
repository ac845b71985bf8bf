#include "sink/postgresql_sink.h"

#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/samples.h"
#include "sink/schema.h"

using namespace iptrackd;
using sink::PostgresqlSink;
using test::Database;

namespace {

PostgresqlSink make_sink(const Database &database) {
  return {database.options(), {"0.1.0", "6.1.0"}};
}

void apply(const Database &database) {
  const auto applied = sink::apply_schema(database.options(), {});
  REQUIRE_MESSAGE(applied.has_value(), applied.error().message());
}

void require_ok(const Result<void> &result) {
  if (!result) FAIL(result.error().message());
}

std::string hex(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += "0123456789abcdef"[static_cast<std::uint8_t>(c) >> 4];
    out += "0123456789abcdef"[static_cast<std::uint8_t>(c) & 0xf];
  }
  return out;
}

}  // namespace

TEST_CASE("every column arrives as it was sent") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  require_ok(test::store(sink, {test::full_event()}));
  const auto is = [&](const std::string &expression) {
    INFO(expression);
    CHECK(database.one("SELECT " + expression + " FROM @.activity") == "t");
  };
  is("ts = '2024-11-22 00:00:00.123456+00'");
  is("host = 'node-1' AND boot_id = '0a1b2c3d-0000-4000-8000-00000000000f' AND seq = 42");
  is("kind = 'close' AND result = -111");
  is("pid = 101 AND tid = 102 AND ppid = 103 AND sid = 104 AND opener_pid = 105");
  is("uid = 1001 AND gid = 1002 AND euid = 1003 AND egid = 4294967294");
  is("loginuid = 1005 AND audit_session = 1006");
  is("tty = 'pts/3' AND comm = 'curl' AND exe = '/usr/bin/curl' AND cwd = '/home/user'");
  is("cgroup = '/user.slice/session-1.scope'");
  is("args = ARRAY['curl', '-o', '', 'a \"b\",{c}'] AND args_truncated");
  is("exe_dev = '259:7' AND exe_inode = 9007199254740993 AND mnt_ns = 4026531841");
  is("proto = 'tcp' AND local_addr = '192.0.2.1' AND local_port = 40000");
  is("remote_addr = '2001:db8::7' AND remote_port = 443 AND masklen(remote_addr) = 128");
  is("duration = interval '1 hour 2 minutes 3.000004 seconds'");
  is("bytes_sent = 5000000001 AND bytes_received = 5000000002");
  is("pam_service = 'sshd' AND pam_user = 'alice' AND pam_rhost = 'client.example'");
  is("marks = ARRAY['memfd', 'path_truncated']");
  is("writer = session_user AND received_at BETWEEN now() - interval '1 minute' AND now()");
  is("login_id IS NULL AND login_user IS NULL AND login_addr IS NULL AND login_port IS NULL");
  is("container = '0123456789abcdef' AND job = '4711.server'");
  CHECK(database.one("SELECT pam_ruser FROM @.event") == "bob");
}

TEST_CASE("what is unknown is NULL, and no marks is an empty array") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  Event empty_args = test::bare_event(2);
  empty_args.args.assign("");
  empty_args.comm.assign("");
  require_ok(test::store(sink, {test::bare_event(1), empty_args}));
  // Columns of the row without those that are always known.
  CHECK(database.one("SELECT count(*) FROM @.activity a, jsonb_each(to_jsonb(a)) AS f WHERE seq = 1 AND "
                     "f.value <> 'null'") == "8");
  CHECK(database.one(
            "SELECT string_agg(f.key, ',' ORDER BY f.key) FROM @.activity a, jsonb_each(to_jsonb(a)) AS f "
            "WHERE seq = 1 AND f.value <> 'null'") == "boot_id,host,kind,marks,received_at,seq,ts,writer");
  CHECK(database.one("SELECT marks = '{}' FROM @.activity WHERE seq = 1") == "t");
  CHECK(database.one("SELECT args = '{}' AND comm = '' FROM @.activity WHERE seq = 2") == "t");
}

TEST_CASE("hostile bytes arrive escaped and do not fail the batch") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  Event event = test::exec_event(1, test::now_unix_us(), std::string_view{"a\0\xff\\x41", 7});
  event.args.assign(std::string_view{"\xff\xfe\0\\xff\0\xed\xa0\x80\0ok'; DROP TABLE event;--\0", 37});
  event.pam_user.assign("\xc0\xaf\xf0\x9f\xa6\x80");
  event.pam_rhost.assign(std::string(100'000, '\xff'));
  require_ok(test::store(sink, {event}));
  CHECK(database.one("SELECT encode(convert_to(comm, 'UTF8'), 'hex') FROM @.activity") ==
        hex("a\\x00\\xff\\x5cx41"));
  CHECK(database.one("SELECT array_to_string(args, ' ') FROM @.activity") ==
        "\\xff\\xfe \\x5cxff \\xed\\xa0\\x80 ok'; DROP TABLE event;--");
  CHECK(database.one("SELECT pam_user, length(pam_rhost) FROM @.activity") ==
        "\\xc0\\xaf\xf0\x9f\xa6\x80|400000");
}

TEST_CASE("extreme numbers arrive, and a time beyond PostgreSQL's is rejected") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  Event event = test::bare_event(1, 0);
  event.exe_inode = ~0ULL;
  event.duration_ns = ~0ULL;
  event.uid = ~0U;
  event.result = INT32_MIN;
  require_ok(test::store(sink, {event}));
  CHECK(database.one("SELECT exe_inode, uid, result, ts FROM @.activity") ==
        "-1|4294967295|-2147483648|1970-01-01 00:00:00+00");
  for (const std::int64_t beyond : {INT64_MIN, INT64_MIN + 1, INT64_MIN + 946'684'800'000'000}) {
    const auto refused = test::store(sink, {test::bare_event(2), test::bare_event(3, beyond)});
    REQUIRE(!refused);
    CHECK(refused.error().fault() == Fault::rejected);
    CHECK(refused.error().message().find("SQLSTATE 22008") != std::string::npos);
  }
  require_ok(test::store(sink, {test::bare_event(4)}));  // the connection is still good
  CHECK(database.one("SELECT string_agg(seq::text, ',' ORDER BY seq) FROM @.activity") == "1,4");
}

TEST_CASE("losses stand in their table, with what is unknown as NULL") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  const Loss known{1'000'000, 2'000'000, "kernel", "ring-full", Kind::connect, 1000U, 17U};
  const Loss unknown{3'000'000, 4'000'000, "fifo", "garb\xff", {}, {}, {}};
  require_ok(test::store(sink, {}, {known, unknown}));
  const auto rows = database.rows(
      "SELECT extract(epoch FROM from_ts)::int, extract(epoch FROM to_ts)::int, host, stage, kind, cause, "
      "uid, count "
      "FROM @.loss ORDER BY from_ts");
  REQUIRE(rows.size() == 2);
  CHECK(rows[0] == "1|2|node-1|kernel|connect|ring-full|1000|17");
  CHECK(rows[1] == "3|4|node-1|fifo|NULL|garb\\xff|NULL|NULL");
}

TEST_CASE(
    "rows go to the partition of their UTC day, and others to the default one, until they are adopted") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  const std::int64_t day = 86'400'000'000;
  const std::int64_t today = test::now_unix_us() / day * day;
  const std::int64_t last_month = today - 30 * day;
  require_ok(test::store(sink, {test::bare_event(1, today), test::bare_event(2, today + day - 1),
                                test::bare_event(3, today + 7 * day), test::bare_event(4, last_month),
                                test::bare_event(5, last_month + day - 1), test::bare_event(6, 0),
                                test::bare_event(7, today + 3650 * day)}));
  const std::string strays = "SELECT string_agg(seq::text, ',' ORDER BY seq) FROM @.event_default";
  CHECK(database.one(strays) == "4,5,6,7");
  const auto maintained = sink::maintain_schema(database.options(), {});
  REQUIRE(maintained.has_value());
  CHECK(maintained->created == 0);
  CHECK(maintained->adopted == 1);
  CHECK(database.one(strays) == "6,7");
  CHECK(database.one("SELECT count(*) FROM @.activity") == "7");
  CHECK(database.one("SELECT count(DISTINCT tableoid) FROM @.event WHERE seq IN (1, 2)") == "1");
}

TEST_CASE("the host is announced at open and shows its signs of life") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  require_ok(test::open(sink));
  CHECK(database.one("SELECT host, boot_id, version, kernel, spool FROM @.hosts") ==
        "node-1|0a1b2c3d-0000-4000-8000-00000000000f|0.1.0|6.1.0|" + test::sample_spool);
  const std::string is_old = "SELECT last_seen < '2000-01-02' FROM @.hosts";
  database.rows("UPDATE @.hosts SET last_seen = '2000-01-01'");
  const std::vector<Event> events{test::bare_event(1)};
  const Position next{1, ~0ULL};
  require_ok(sink.write(test::sample_spool, {&test::sample_origin, {}, next, events, {}, {}}, {}));
  CHECK(database.one(is_old) == "t");  // less than a second ago
  sink.tell({R"({"exec": "fentry"})", std::chrono::microseconds{1'500'000}, 7, "synchronised"});
  require_ok(sink.write(test::sample_spool, {&test::sample_origin, next, next, {}, {}, {}}, {}));
  CHECK(database.one(is_old) == "f");
  CHECK(database.one("SELECT hooks->>'exec', lag, lost, clock FROM @.hosts") ==
        "fentry|00:00:01.5|7|synchronised");
  CHECK(database.one("SELECT position, token, now() - delivered BETWEEN '0' AND '5s' FROM @.spool") ==
        "1|-1|t");
  for (const char *wrong : {"{", R"({"a": "\u0000"})", ""}) {
    sink.tell({wrong, {}, {}, ""});
    require_ok(sink.write(test::sample_spool, {&test::sample_origin, next, next, {}, {}, {}}, {}));
  }
  CHECK(database.one("SELECT hooks->>'exec', lag, lost, clock FROM @.hosts") == "fentry|NULL|NULL|NULL");
  PostgresqlSink again = make_sink(database);
  require_ok(test::open(again));
  CHECK(database.one("SELECT count(*) FROM @.boot") == "1");
  CHECK(database.one("SELECT count(*) FROM @.hosts") == "1");
}

TEST_CASE("a view that does not begin where the spool stands is not stored") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  const auto at_first = sink.open(test::sample_spool, test::sample_origin, {});
  REQUIRE(at_first.has_value());
  CHECK(*at_first == Position{});
  const std::vector<Event> events{test::bare_event(1)};
  const auto write = [&](Position from, Position to) {
    return sink.write(test::sample_spool, {&test::sample_origin, from, to, events, {}, {}}, {});
  };
  require_ok(write({}, {10, 1ULL << 63}));
  for (const Position wrong : {Position{}, Position{10, 0}, Position{9, 1ULL << 63}}) {
    const auto refused = write(wrong, {20, 5});
    REQUIRE(!refused);
    CHECK(refused.error().fault() == Fault::moved);
  }
  CHECK(**sink.open(test::sample_spool, test::sample_origin, {}) == Position{10, 1ULL << 63});
  require_ok(write({10, 1ULL << 63}, {20, 5}));
  CHECK(database.one("SELECT count(*) FROM @.event") == "2");
}

TEST_CASE("an older boot's entries keep their boot, and two hosts of one name have a row each") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  const Origin older{"node-1", "0a1b2c3d-0000-4000-8000-000000000000"};
  const std::vector<Event> first{test::bare_event(1)};
  const std::vector<Event> second{test::bare_event(2)};
  const std::vector<HostEvent> host_events{{test::sample_unix_us, "start", "by \xff"}};
  require_ok(sink.write(test::sample_spool, {&test::sample_origin, {}, {1, 1}, first, {}, {}}, {}));
  require_ok(sink.write(test::sample_spool, {&older, {1, 1}, {9, 9}, second, {}, host_events}, {}));
  CHECK(database.rows("SELECT seq, right(boot_id::text, 2) FROM @.activity ORDER BY seq") ==
        std::vector<std::string>{"1|0f", "2|00"});
  CHECK(database.one("SELECT ts, host, boot_id, kind, detail, spool FROM @.host_event") ==
        "2024-11-22 00:00:00.123456+00|node-1|0a1b2c3d-0000-4000-8000-000000000000|start|by \\xff|" +
            test::sample_spool);
  REQUIRE(sink.open("5b001000-0000-4000-8000-000000000002", test::sample_origin, {}).has_value());
  CHECK(database.one("SELECT count(*) FROM @.hosts WHERE host = 'node-1'") == "2");
}

TEST_CASE("a view can be tried without storing it") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  const std::vector<Event> good{test::bare_event(1)};
  const std::vector<Event> bad{test::bare_event(1, INT64_MIN)};
  require_ok(sink.rehearse({&test::sample_origin, {}, {1, 1}, good, {}, {}}, {}));
  CHECK(!sink.rehearse({&test::sample_origin, {}, {1, 1}, bad, {}, {}}, {}).has_value());
  CHECK(database.one("SELECT count(*) FROM @.event") == "0");
  require_ok(test::store(sink, good));
}

TEST_CASE(
    "a row that the database refuses is a rejection with its SQLSTATE, and nothing of the batch is stored") {
  Database database;
  apply(database);
  PostgresqlSink sink = make_sink(database);
  require_ok(test::open(sink));
  database.rows("ALTER TABLE @.event ADD CONSTRAINT no_poison CHECK (comm <> 'poison')");
  const auto refused = test::store(sink, {test::bare_event(1), test::exec_event(2, 0, "poison")});
  REQUIRE(!refused);
  CHECK(refused.error().fault() == Fault::rejected);
  CHECK(refused.error().message().find("SQLSTATE 23514") != std::string::npos);
  CHECK(database.one("SELECT count(*) FROM @.event") == "0");
  require_ok(test::store(sink, {test::bare_event(1)}));
}

TEST_CASE("open says what is wrong with schema, keyword and server") {
  Database database;
  PostgresqlSink sink = make_sink(database);
  const auto missing = test::open(sink);
  REQUIRE(!missing);
  CHECK(missing.error().fault() == Fault::environment);
  CHECK(missing.error().message() == "the database has no iptrackd schema; run `iptrackd schema apply`");

  const auto fault_with = [&](const std::string &keyword, const std::string &value) {
    auto options = database.options();
    options.connection[keyword] = value;
    PostgresqlSink wrong{options, {}};
    const auto opened = test::open(wrong);
    REQUIRE(!opened);
    INFO(opened.error().message());
    CHECK(opened.error().message().find('\n') == std::string::npos);
    return opened.error().fault();
  };
  CHECK(fault_with("hots", "x") == Fault::usage);
  CHECK(fault_with("sslmode", "sometimes") == Fault::usage);
  CHECK(fault_with("port", "abc") == Fault::usage);
  CHECK(fault_with("dbname", "no_such_database") == Fault::connection);
  CHECK(fault_with("user", "no_such_user") == Fault::connection);
  CHECK(fault_with("host", "/nonexistent") == Fault::connection);
  for (const std::string &name : {std::string{}, std::string(64, 'x'), std::string{"a\0b", 3},
                                  std::string{"\xff"}, std::string{"pg_catalog"}}) {
    auto options = database.options();
    options.schema = name;
    PostgresqlSink wrong{options, {}};
    const auto opened = test::open(wrong);
    REQUIRE(!opened);
    CHECK(opened.error().fault() == Fault::usage);
  }
}

TEST_CASE("a database that is not UTF-8 is refused") {
  Database database;
  database.rows(
      "CREATE DATABASE iptrackd_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
  auto options = database.options();
  options.connection["dbname"] = "iptrackd_latin1";
  PostgresqlSink sink{options, {}};
  const auto opened = test::open(sink);
  database.rows("DROP DATABASE iptrackd_latin1 WITH (FORCE)");
  REQUIRE(!opened);
  CHECK(opened.error().fault() == Fault::environment);
  CHECK(opened.error().message().find("LATIN1") != std::string::npos);
}
