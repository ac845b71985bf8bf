// What a writer's role can do: add rows as its own hosts, and nothing else.
#include "sink/roles.h"

#include <doctest/doctest.h>

#include <chrono>
#include <functional>
#include <future>
#include <stop_token>
#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/fake_source.h"
#include "sink/postgresql_sink.h"
#include "sink/role.h"
#include "sink/samples.h"
#include "sink/schema.h"
#include "sink/writer.h"

using namespace iptrackd;
using sink::PostgresqlSink;
using test::Database;
using test::Role;

namespace {

const std::string refused = "42501";

const std::string boot_a = "'b0070000-0000-4000-8000-00000000000a'";
const std::string boot_b = "'b0070000-0000-4000-8000-00000000000b'";
const std::string spool_a = "'5b001000-0000-4000-8000-00000000000a'";
const std::string spool_b = "'5b001000-0000-4000-8000-00000000000b'";

// Two hosts, a and b, each with a role of its own, announced as their daemons do it.
struct TwoHosts {
  TwoHosts() {
    REQUIRE(sink::apply_schema(database.options(), {}).has_value());
    a.become_writer();
    b.become_writer();
    announce(a, "a", boot_a, spool_a);
    announce(b, "b", boot_b, spool_b);
    boot_of_a = a.one("SELECT @.register_boot('a', " + boot_a + ")");
    boot_of_b = b.one("SELECT @.register_boot('b', " + boot_b + ")");
  }
  static void announce(Role &role, const std::string &host, const std::string &boot,
                       const std::string &spool) {
    CHECK(role.attempt("SELECT @.register_spool(" + spool + ", '" + host + "')") == "ok");
    CHECK(role.attempt("SELECT @.register_host(" + spool + ", '" + host + "', " + boot + ", '1', '6')") ==
          "ok");
  }
  std::string insert_event(Role &role, const std::string &boot) {
    return role.attempt("INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, " + boot + ", 'exec')");
  }
  Database database;
  Role a{database}, b{database};
  std::string boot_of_a, boot_of_b;
};

}  // namespace

TEST_CASE("roles: a writer can read, change and delete no event, and sets neither writer nor time") {
  TwoHosts hosts;
  Role &a = hosts.a;
  CHECK(hosts.insert_event(a, hosts.boot_of_a) == "ok");
  const std::string partition =
      hosts.database.one("SELECT relname FROM pg_class WHERE oid = (SELECT tableoid FROM @.event)");
  for (const std::string &table : {std::string{"event"}, partition, std::string{"event_default"},
                                   std::string{"loss"}, std::string{"host_event"}}) {
    CAPTURE(table);
    CHECK(a.attempt("SELECT count(*) FROM @." + table) == refused);
    CHECK(a.attempt("UPDATE @." + table + " SET kind = 'bind'") == refused);
    CHECK(a.attempt("DELETE FROM @." + table) == refused);
    CHECK(a.attempt("TRUNCATE @." + table) == refused);
    CHECK(a.attempt("DROP TABLE @." + table) == refused);
    CHECK(a.attempt("COPY @." + table + " TO STDOUT") == refused);
    CHECK(a.attempt("LOCK TABLE @." + table + " IN ACCESS EXCLUSIVE MODE") != "ok");
  }
  for (const char *view : {"activity", "hosts", "spool", "boot", "inet_log", "coverage('a', now(), now())",
                           "host_writer", "pseudonym_key", "retention", "legal_hold"}) {
    CAPTURE(view);
    CHECK(a.attempt(std::string{"SELECT * FROM @."} + view) == refused);
  }
  const std::string row = "(now(), 1, " + hosts.boot_of_a + ", 'exec'";
  CHECK(a.attempt("INSERT INTO @.event (ts, seq, boot, kind, writer) VALUES " + row + ", 'b')") == refused);
  CHECK(a.attempt("INSERT INTO @.event (ts, seq, boot, kind, received_at) VALUES " + row + ", now())") ==
        refused);
  CHECK(a.attempt("INSERT INTO @.event (ts, seq, boot, kind, login_user) VALUES " + row + ", 'b')") ==
        refused);
  CHECK(a.attempt("COPY @.event (ts, seq, boot, kind, writer) FROM STDIN") == refused);
  CHECK(a.attempt("COPY @.event FROM STDIN") == refused);
  CHECK(a.attempt("COPY @." + partition + " (ts, seq, boot, kind) FROM STDIN") == refused);
  CHECK(a.attempt("COPY @.event (ts, seq, boot, kind) FROM STDIN") == "ok");
  for (const char *table : {"loss", "host_event"}) {
    CHECK(a.attempt(std::string{"COPY @."} + table + " (host, writer) FROM STDIN") == refused);
    CHECK(a.attempt(std::string{"COPY @."} + table + " (host, received_at) FROM STDIN") == refused);
  }
  CHECK(a.attempt("INSERT INTO @.event (ts, seq, boot, kind) VALUES " + row + ") RETURNING ts") == refused);
  CHECK(hosts.database.one("SELECT writer, received_at > now() - interval '1 minute' FROM @.event") ==
        a.name() + "|t");
}

TEST_CASE("roles: a writer calls what the sink calls, and no other function of the owner's") {
  TwoHosts hosts;
  Role &a = hosts.a;
  CHECK(a.attempt("SELECT @.ensure_partitions()") == "ok");
  for (const char *call :
       {"create_partition('2026-01-01')", "adopt_strays()", "sign_of_life(1)", "grant_writer('x', NULL)",
        "grant_investigator(session_user::text)", "give_duty(session_user::text, 'reader', NULL)",
        "revoke_role('x')", "renew_duties()", "renew_pseudonym_key()", "claim_host('b')", "is_owner()",
        "expire_partition('event_default', '2026-01-01', now())", "check_boots()"}) {
    CAPTURE(call);
    CHECK(a.attempt(std::string{"SELECT @."} + call) == refused);
  }
  CHECK(a.attempt("CREATE TABLE @.mine ()") == refused);
  CHECK(a.attempt("ALTER TABLE @.event DISABLE TRIGGER ALL") == refused);
  CHECK(a.attempt("SET session_replication_role = replica") == refused);
  CHECK(a.attempt("SET SESSION AUTHORIZATION " + hosts.b.name()) == refused);
  CHECK(a.attempt("SET ROLE " + hosts.b.name()) == refused);
}

TEST_CASE("roles: objects of a writer's own do not come before those of the schema") {
  TwoHosts hosts;
  Role &a = hosts.a;
  CHECK(a.attempt("CREATE TEMPORARY TABLE host_writer (host text, role text, claimed boolean); "
                  "INSERT INTO host_writer VALUES ('b', session_user, true)") == "ok");
  CHECK(a.attempt("CREATE TEMPORARY TABLE role_duty (role text, hosts text)") == "ok");
  CHECK(a.attempt("SET search_path = pg_temp, @") == "ok");
  CHECK(a.attempt("SELECT @.register_boot('b', " + boot_b + ")") == refused);
  CHECK(hosts.insert_event(a, hosts.boot_of_b) == refused);
}

TEST_CASE("roles: the whole sink works with a writer's role, and a new day's first event arrives") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Role role{database};
  role.become_writer({"node-1"});
  // As if the daemon had run since last month.
  database.rows(
      "DO $do$ DECLARE p regclass; BEGIN FOR p IN SELECT inhrelid FROM pg_inherits JOIN pg_class ON oid = "
      "inhrelid WHERE inhparent = $q$@.event$q$::regclass AND relname <> 'event_default' "
      "LOOP EXECUTE 'DROP TABLE ' || p; END LOOP; END $do$");
  PostgresqlSink sink{role.options(), {"0.1.0", "6.1.0"}};
  const auto opened = test::open(sink);
  REQUIRE_MESSAGE(opened.has_value(), opened.error().message());
  const Loss loss{1'000'000, 2'000'000, "kernel", "ring-full", Kind::connect, 1000U, 17U};
  const HostEvent event{test::sample_unix_us, "start", "by test"};
  const auto stored =
      test::store(sink, {test::full_event(), test::exec_event(43, test::now_unix_us())}, {loss}, {event});
  REQUIRE_MESSAGE(stored.has_value(), stored.error().message());
  sink.tell({R"({"exec": "fentry"})", std::chrono::microseconds{1}, 7, "synchronised"});
  CHECK(test::store(sink, {}).has_value());
  const std::vector<Event> harmless{test::bare_event(1)};
  CHECK(sink.rehearse({&test::sample_origin, {}, {1, 1}, harmless, {}, {}}, {}).has_value());
  CHECK(database.one("SELECT count(*) FROM @.activity WHERE host = 'node-1' AND writer = '" + role.name() +
                     "'") == "2");
  CHECK(database.one("SELECT (SELECT count(*) FROM @.loss), (SELECT count(*) FROM @.host_event)") == "1|1");
  CHECK(database.one("SELECT hooks->>'exec', lost FROM @.hosts") == "fentry|7");
  CHECK(database.one("SELECT count(*) FROM @.event WHERE ts > now() - interval '1 hour' AND "
                     "tableoid <> $q$@.event_default$q$::regclass") == "1");
  const auto state = sink::check_schema(role.options(), {});
  REQUIRE_MESSAGE(state.has_value(), state.error().message());
  CHECK(state->findings.empty());
  CHECK(state->strays == 1);
  CHECK_FALSE(sink::maintain_schema(role.options(), {}).has_value());
}

TEST_CASE("roles: a host's credential writes nothing that passes as another host's") {
  TwoHosts hosts;
  Role &a = hosts.a;
  CHECK(hosts.insert_event(a, hosts.boot_of_a) == "ok");
  CHECK(hosts.insert_event(a, hosts.boot_of_b) == refused);
  CHECK(hosts.insert_event(a, "4711") == refused);  // a boot that may be another's one day
  CHECK(a.attempt("INSERT INTO @.event (ts, seq, boot, kind) VALUES (now(), 1, " + hosts.boot_of_a +
                  ", 'exec'), (now(), 2, " + hosts.boot_of_b + ", 'exec')") == refused);
  CHECK(a.attempt("SELECT @.register_boot('b', " + boot_b + ")") == refused);
  CHECK(a.attempt("SELECT @.register_boot('b', " + boot_a + ")") == refused);
  CHECK(a.attempt("SELECT @.register_spool(" + spool_a + ", 'b')") == refused);
  CHECK(a.attempt("SELECT @.register_spool(" + spool_b + ", 'a')") == "IT001");
  CHECK(a.attempt("SELECT @.advance_spool(" + spool_b + ", 0, 0, 9, 9, now())") == "IT001");
  CHECK(a.attempt("SELECT @.sign_of_life(" + spool_b + ", NULL, NULL, 0, '')") == "IT001");
  CHECK(a.attempt("SELECT @.register_host(" + spool_b + ", 'a', " + boot_a + ", '', '')") == "IT001");
  CHECK(a.attempt("SELECT @.register_host(" + spool_a + ", 'b', " + boot_a + ", '', '')") == refused);
  const auto loss = [&](const std::string &host, const std::string &spool) {
    return a.attempt(
        "INSERT INTO @.loss (from_ts, to_ts, host, stage, cause, spool) VALUES (now(), now(), '" + host +
        "', 's', 'c', " + spool + ")");
  };
  const auto told = [&](const std::string &host, const std::string &spool) {
    return a.attempt("INSERT INTO @.host_event (ts, host, kind, spool) VALUES (now(), '" + host +
                     "', 'stop', " + spool + ")");
  };
  for (const auto &insert : {std::function<std::string(std::string, std::string)>{loss}, {told}}) {
    CHECK(insert("a", spool_a) == "ok");
    CHECK(insert("b", spool_a) == refused);
    CHECK(insert("b", "NULL") == refused);
    CHECK(insert("a", spool_b) == "IT001");
  }
  CHECK(hosts.database.one("SELECT string_agg(host || position, ' ' ORDER BY host) FROM @.spool") == "a0 b0");
  CHECK(hosts.database.one("SELECT count(*) FROM @.activity") == "1");
  // The other one is not hindered.
  CHECK(hosts.insert_event(hosts.b, hosts.boot_of_b) == "ok");
  CHECK(hosts.b.attempt("SELECT @.advance_spool(" + spool_b + ", 0, 0, 9, 9, now())") == "ok");
}

TEST_CASE("roles: another host's boot id does not lend its logins anything") {
  TwoHosts hosts;
  const auto login = [](Role &role, const std::string &boot, const std::string &kind, int seq) {
    return role.attempt(
        "INSERT INTO @.event (ts, seq, boot, kind, remote_addr, remote_port) VALUES (now(), " +
        std::to_string(seq) + ", " + boot + ", '" + kind + "', '192.0.2.7', 4711)");
  };
  const std::string forged = hosts.a.one("SELECT @.register_boot('a', " + boot_b + ")");
  CHECK(login(hosts.a, forged, "auth", 1) == "ok");
  CHECK(login(hosts.b, hosts.boot_of_b, "open_session", 2) == "ok");
  CHECK(login(hosts.a, forged, "close_session", 3) == "ok");
  CHECK(hosts.database.one("SELECT host, method, end_date FROM @.sessions") == "b|not pam|NULL");
}

TEST_CASE("roles: a name belongs to who came first, to those that the owner names, or to all") {
  TwoHosts hosts;
  Role &a = hosts.a;
  const auto comes = [](Role &role, const std::string &host) {
    return role.attempt("SELECT @.register_boot('" + host + "', " + boot_a + ")");
  };
  CHECK(comes(a, "c") == "ok");
  CHECK(comes(hosts.b, "c") == refused);
  a.become_writer({"a", "d"});
  CHECK(comes(a, "a") == "ok");
  CHECK(comes(a, "d") == "ok");
  CHECK(comes(a, "e") == refused);
  CHECK(comes(hosts.b, "d") == refused);
  CHECK(comes(hosts.b, "c") == "ok");  // it is not a's any more
  CHECK(comes(a, "c") == refused);
  hosts.b.become_writer({"b", "d"});  // two credentials of one host, while they are changed
  CHECK(comes(a, "d") == "ok");
  CHECK(comes(hosts.b, "d") == "ok");
  a.become_writer({"*"});
  CHECK(comes(a, "b") == "ok");
  CHECK(hosts.insert_event(a, hosts.boot_of_b) == "ok");
}

TEST_CASE("roles: the members of a group are writers each for itself") {
  TwoHosts hosts;
  Role group{hosts.database};
  Role member{hosts.database}, other{hosts.database};
  group.become_writer();
  hosts.database.rows("GRANT " + group.name() + " TO " + member.name() + ", " + other.name());
  CHECK(member.attempt("SELECT @.register_boot('m', " + boot_a + ")") == "ok");
  CHECK(other.attempt("SELECT @.register_boot('m', " + boot_a + ")") == refused);
  CHECK(member.attempt("SET ROLE " + group.name()) == "ok");
  CHECK(hosts.insert_event(member, member.one("SELECT @.register_boot('m', " + boot_a + ")")) == "ok");
  CHECK(hosts.database.one("SELECT writer FROM @.event") == member.name());
}

TEST_CASE("roles: a machine that was cloned gets a spool of its own by itself") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Role origin_role{database}, clone_role{database};
  origin_role.become_writer({"node-1"});
  clone_role.become_writer({"node-2"});
  const auto run = [](test::FakeSource &source, const Role &role, const Origin &origin) {
    source.end();
    PostgresqlSink sink{role.options(), {}};
    sink::Writer writer{source, sink, origin, test::small_batches(10, std::chrono::milliseconds{1}), {}, {}};
    std::stop_source stop;  // one that is refused would try for ever
    auto running = std::async(std::launch::async, [&] { return writer.run(stop.get_token()); });
    if (running.wait_for(std::chrono::seconds{20}) != std::future_status::ready) stop.request_stop();
    return running.get();
  };
  test::FakeSource source{test::sample_origin};
  source.add(test::bare_event(1, test::now_unix_us()));
  CHECK(run(source, origin_role, test::sample_origin).complete);
  test::FakeSource clone{source};
  clone.add(test::bare_event(2, test::now_unix_us()));
  const Origin other{"node-2", "0a1b2c3d-0000-4000-8000-0000000000cc"};
  clone.rename(other);
  CHECK(run(clone, clone_role, other).complete);
  CHECK(clone.forks == 1);
  CHECK(database.one("SELECT string_agg(host || ' ' || position, ', ' ORDER BY host) FROM @.spool") ==
        "node-1 1, node-2 2");
  CHECK(database.one("SELECT host, kind FROM @.host_event") == "node-2|spool-forked");
}

TEST_CASE("roles: granting again changes the duty, and what was granted by hand goes") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Role role{database};
  database.rows("GRANT USAGE ON SCHEMA @ TO " + role.name());
  database.rows("GRANT SELECT, DELETE ON @.event TO " + role.name());
  database.rows("GRANT EXECUTE ON FUNCTION @.adopt_strays() TO " + role.name());
  CHECK(role.attempt("DELETE FROM @.event") == "ok");
  for (int i = 0; i < 2; ++i) {
    role.become_writer({"a"});
    CHECK(role.attempt("DELETE FROM @.event") == refused);
    CHECK(role.attempt("SELECT @.adopt_strays()") == refused);
    CHECK(role.attempt("SELECT @.register_boot('a', " + boot_a + ")") == "ok");
  }
  role.become_reader();
  CHECK(role.attempt("SELECT @.register_boot('a', " + boot_a + ")") == refused);
  CHECK(role.attempt("SELECT count(*) FROM @.activity") == "ok");
  database.rows("REVOKE ALL ON @.activity FROM " + role.name());
  database.rows("SELECT @.renew_duties()");
  CHECK(role.attempt("SELECT count(*) FROM @.activity") == "ok");
}

TEST_CASE(
    "roles: a role that is not there, or that nothing would limit, is a clear error and nothing is done") {
  Database database;
  REQUIRE(sink::apply_schema(database.options(), {}).has_value());
  Role role{database};
  const auto message = [&](const sink::Grants &grants) {
    const auto granted = sink::grant_roles(database.options(), grants, {});
    REQUIRE(!granted);
    CHECK(granted.error().fault() == Fault::environment);
    return granted.error().message();
  };
  CHECK(message({{role.name(), "no such \"role\""}, {}, {}, {}})
            .find("there is no role no such \"role\"; make it first: CREATE ROLE") == 0);
  CHECK(message({{}, {}, {"postgres_or_nobody"}, {}}).find("there is no role") == 0);
  database.rows("ALTER ROLE " + role.name() + " SUPERUSER");
  CHECK(message({{role.name()}, {}, {}, {}}).find("owns the schema or is a superuser") != std::string::npos);
  CHECK(database.one("SELECT count(*) FROM @.role_duty") == "0");
  Role stranger{database};
  const auto not_owner = sink::grant_roles(stranger.options(), {{stranger.name()}, {}, {}, {}}, {});
  REQUIRE(!not_owner);
  CHECK(not_owner.error().fault() == Fault::environment);
}
