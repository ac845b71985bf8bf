// What readers and investigators see.
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

const std::string refused = "42501";

// An exec, sshd's accept of a login with its close, the login, and a connect elsewhere.
struct Activity {
  Activity() {
    REQUIRE(sink::apply_schema(database.options(), {}).has_value());
    database.rows("SELECT @.register_boot('h', 'b0070000-0000-4000-8000-00000000000a')");
    database.rows(
        "INSERT INTO @.event (ts, seq, boot, kind, comm, args, cwd, remote_addr, login_addr, pam_user, "
        "pam_rhost) VALUES "
        "(now(), 1, 1, 'exec', 'cp', '{cp,secret}', '/home/alice', NULL, '192.0.2.7', NULL, NULL), "
        "(now(), 2, 1, 'accept', 'sshd', NULL, NULL, '192.0.2.7', NULL, NULL, NULL), "
        "(now(), 3, 1, 'open_session', 'iptrackd-pam-ca', NULL, NULL, '192.0.2.7', NULL, 'alice', "
        "'client.example'), "
        "(now(), 4, 1, 'close', 'sshd', NULL, NULL, '192.0.2.7', NULL, NULL, NULL), "
        "(now(), 5, 1, 'connect', 'curl', NULL, NULL, '203.0.113.9', NULL, NULL, NULL)");
    reader.become_reader();
    investigator.become_investigator();
  }
  Database database;
  Role reader{database}, investigator{database};
};

const std::string secrets =
    "SELECT string_agg(coalesce(args::text, '-') || ' ' || coalesce(cwd, '-') || ' ' || "
    "coalesce(host(remote_addr), '-') || ' ' || coalesce(host(login_addr), '-') || ' ' || "
    "coalesce(pam_rhost, '-'), ', ' ORDER BY seq) FROM @.activity";
const std::string all_clear =
    "{cp,secret} /home/alice - 192.0.2.7 -, - - 192.0.2.7 - -, - - 192.0.2.7 - client.example, "
    "- - 192.0.2.7 - -, - - 203.0.113.9 - -";

}  // namespace

TEST_CASE("readers: arguments and directories are hidden, the addresses of logins are pseudonyms") {
  Activity rows;
  CHECK(rows.database.one(secrets) == all_clear);
  CHECK(rows.investigator.one(secrets) == all_clear);
  const std::string pseudonym = rows.investigator.one("SELECT host(@.pseudonym('192.0.2.7'))");
  CHECK(pseudonym.find("100::") == 0);
  CHECK(rows.reader.one("SELECT string_agg(coalesce(args::text, '-') || ' ' || coalesce(cwd, '-') || ' ' || "
                        "coalesce(host(remote_addr), '-') || ' ' || coalesce(host(login_addr), '-'), ', ' "
                        "ORDER BY seq) FROM @.activity") == "- - - " + pseudonym + ", - - " + pseudonym +
                                                                " -, - - " + pseudonym + " -, - - " +
                                                                pseudonym + " -, - - 203.0.113.9 -");
  CHECK(rows.reader.one("SELECT length(pam_rhost), pam_rhost <> 'client.example' FROM @.activity "
                        "WHERE kind = 'open_session'") == "64|t");
  CHECK(rows.reader.one("SELECT host(src_ipaddr), uid FROM @.inet_log") == pseudonym + "|alice");
  CHECK(rows.reader.one("SELECT count(*), count(host), count(*) FILTER (WHERE host = 'h') FROM @.activity") ==
        "5|5|5");
}

TEST_CASE("readers: the hash is HMAC-SHA256") {
  Activity rows;
  // RFC 4231, test case 2: the key is Jefe, the pads are XORed with it.
  CHECK(rows.database.one("SELECT @.keyed_hash(decode('7c535053' || repeat('36', 60), 'hex'), "
                          "decode('16393a39' || repeat('5c', 60), 'hex'), 'what do ya want for nothing?')") ==
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
}

TEST_CASE("readers: a new key links nothing to before it, and no other schema has the same one") {
  Activity rows;
  const std::string ask = "SELECT @.pseudonym('192.0.2.7')";
  const std::string before = rows.database.one(ask);
  CHECK(rows.database.one(ask) == before);
  rows.database.rows("SELECT @.renew_pseudonym_key()");
  CHECK(rows.database.one(ask) != before);
  CHECK(rows.database.one("SELECT length(inner_key), length(outer_key) FROM @.pseudonym_key") == "64|64");
}

TEST_CASE("readers: the owner decides what they see") {
  Activity rows;
  rows.database.rows("UPDATE @.reader_column SET treatment = 'clear'");
  CHECK(rows.reader.one(secrets) == all_clear);
  rows.database.rows("UPDATE @.reader_column SET treatment = 'hidden'");
  const std::string nothing = "- - - - -, - - - - -, - - - - -, - - - - -, - - 203.0.113.9 - -";
  CHECK(rows.reader.one(secrets) == nothing);
  rows.database.rows("UPDATE @.reader_column SET treatment = 'pseudonym'");
  CHECK(rows.reader.one("SELECT length(args[1]), cardinality(args), length(cwd) FROM @.activity "
                        "WHERE kind = 'exec'") == "64|1|64");
  rows.database.rows("DELETE FROM @.reader_column");
  CHECK(rows.reader.one(secrets) == nothing);
  CHECK(rows.database.one(secrets) == all_clear);
}

TEST_CASE("readers: no way around the view, and nothing can be written") {
  Activity rows;
  Role &reader = rows.reader;
  for (const char *table : {"event", "event_default", "boot", "pseudonym_key", "legal_hold", "host_writer"}) {
    CAPTURE(table);
    CHECK(reader.attempt(std::string{"SELECT * FROM @."} + table) == refused);
  }
  CHECK(reader.attempt("SELECT @.pseudonym('192.0.2.7')") == refused);
  // A function that tells what it is given sees no more than the reader.
  CHECK(reader.attempt(
            "CREATE FUNCTION pg_temp.tells(a text[]) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS "
            "$f$ BEGIN IF a IS NOT NULL THEN RAISE EXCEPTION 'seen'; END IF; RETURN true; END $f$") == "ok");
  CHECK(reader.one("SELECT count(*) FROM @.activity WHERE pg_temp.tells(args)") == "5");
  CHECK(rows.database.one("SELECT count(*) FROM @.activity WHERE args IS NOT NULL") == "1");
  for (const char *table : {"activity", "loss", "host_event", "hosts", "retention", "reader_column"}) {
    CAPTURE(table);
    CHECK(reader.attempt(std::string{"SELECT * FROM @."} + table) == "ok");
    CHECK(reader.attempt(std::string{"DELETE FROM @."} + table) != "ok");
    CHECK(rows.investigator.attempt(std::string{"DELETE FROM @."} + table) != "ok");
  }
  CHECK(rows.investigator.attempt("DELETE FROM @.event") == refused);
  CHECK(rows.investigator.attempt("UPDATE @.pseudonym_key SET inner_key = ''") == refused);
}

TEST_CASE("readers: a plan that was made for one role is not used for another") {
  Activity rows;
  Role both{rows.database};
  rows.database.rows("GRANT " + rows.reader.name() + ", " + rows.investigator.name() + " TO " + both.name());
  both.rows("SET plan_cache_mode = force_generic_plan");
  both.rows("PREPARE asked AS SELECT count(args) FROM @.activity");
  for (int i = 0; i < 2; ++i) {
    both.rows("SET ROLE " + rows.investigator.name());
    CHECK(both.one("EXECUTE asked") == "1");
    both.rows("SET ROLE " + rows.reader.name());
    CHECK(both.one("EXECUTE asked") == "0");
  }
  // Nor after a change of the duty.
  rows.reader.rows("SET plan_cache_mode = force_generic_plan");
  rows.reader.rows("PREPARE asked AS SELECT count(args) FROM @.activity");
  CHECK(rows.reader.one("EXECUTE asked") == "0");
  rows.reader.become_investigator();
  CHECK(rows.reader.one("EXECUTE asked") == "1");
  rows.reader.become_reader();
  CHECK(rows.reader.one("EXECUTE asked") == "0");
}

TEST_CASE("readers: the seed's views and coverage answer both") {
  Activity rows;
  for (Role *role : {&rows.reader, &rows.investigator}) {
    for (const char *what :
         {"inet_log", "ips", "agg_ips", "nets_24", "nets_16", "nets_8", "agg_nets_24", "agg_nets_16",
          "agg_nets_8", "nets_view(8)", "agg_nets_view(32)", "sessions", "open_sessions",
          "completed_sessions", "daemon_life", "coverage('h', now() - interval '1 hour', now())"}) {
      CAPTURE(what);
      CHECK(role->attempt(std::string{"SELECT * FROM @."} + what) == "ok");
    }
  }
}

TEST_CASE("readers: a query by time and by address is planned as it was, for all of them") {
  Activity rows;
  const auto plan = [](auto &who, const std::string &where) {
    std::string text;
    for (const auto &line :
         who.rows("EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) SELECT ts, exe FROM "
                  "@.activity WHERE " +
                  where)) {
      text += line + "\n";
    }
    return text;
  };
  const auto count = [](const std::string &text, const std::string &what) {
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  };
  const std::string today = "ts >= now()::date AND ts < now()::date + interval '1 day'";
  for (const std::string &text :
       {plan(rows.database, today), plan(rows.reader, today), plan(rows.investigator, today)}) {
    CAPTURE(text);
    // Of today and the default partition at most, and only one of the two halves.
    CHECK(count(text, " on event_") <= 2);
    CHECK(count(text, "Subplans Removed") == 1);
    CHECK(count(text, " on boot") == 0);
    CHECK(count(text, "reader_column") == 0);
  }
  rows.database.rows("SET enable_seqscan = off");
  const std::string by_address = plan(rows.database, "remote_addr = '203.0.113.9'");
  CAPTURE(by_address);
  CHECK(count(by_address, "Index Cond: (remote_addr = ") >= 1);
  CHECK(count(by_address, "Seq Scan") == 0);
}
