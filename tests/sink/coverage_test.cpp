// iptrackd.coverage() over histories made by hand: times are minutes of one hour.
#include <doctest/doctest.h>

#include <string>
#include <vector>

#include "sink/database.h"
#include "sink/schema.h"

using namespace iptrackd;
using test::Database;

namespace {

using Rows = std::vector<std::string>;

struct History {
  History() { REQUIRE(sink::apply_schema(database.options(), {}).has_value()); }

  static std::string at(double minute) {
    return "(timestamptz '2026-01-01 00:00:00+00' + " + std::to_string(minute) + " * interval '1 minute')";
  }
  static std::string spool_id(int spool) {
    return "'5b001000-0000-4000-8000-00000000000" + std::to_string(spool) + "'::uuid";
  }
  static std::string boot_id(int boot) {
    return "'b0070000-0000-4000-8000-00000000000" + std::to_string(boot) + "'::uuid";
  }
  History &event(double minute, const std::string &kind, int boot = 1, int spool = 1) {
    database.rows("INSERT INTO @.host_event (ts, host, boot_id, kind, spool) VALUES (" + at(minute) +
                  ", 'h', " + boot_id(boot) + ", '" + kind + "', " + spool_id(spool) + ")");
    return *this;
  }
  History &left_out(double minute, const std::string &probes, int spool = 1) {
    database.rows("INSERT INTO @.host_event (ts, host, kind, detail, spool) VALUES (" + at(minute) +
                  ", 'h', 'left-out', '" + probes + "', " + spool_id(spool) + ")");
    return *this;
  }
  History &delivered(double minute, int spool = 1) {
    database.rows("INSERT INTO @.spool (id, host, delivered) VALUES (" + spool_id(spool) + ", 'h', " +
                  at(minute) + ")");
    return *this;
  }
  History &loss(double from, double to, const std::string &kind, const std::string &cause,
                const std::string &count) {
    database.rows("INSERT INTO @.loss (from_ts, to_ts, host, stage, kind, cause, count) VALUES (" + at(from) +
                  ", " + at(to) + ", 'h', 'kernel', " + (kind.empty() ? "NULL" : "'" + kind + "'") + ", '" +
                  cause + "', " + count + ")");
    return *this;
  }
  // As retention books it.
  History &dropped(double from, double to, const std::string &kind, int rows) {
    database.rows("INSERT INTO @.retention_log (run, kind, from_ts, to_ts, rows) VALUES (now(), '" + kind +
                  "', " + at(from) + ", " + at(to) + ", " + std::to_string(rows) + ")");
    return *this;
  }
  History &row(double minute, int boot = 1) {
    database.rows("SELECT @.register_boot('h', " + boot_id(boot) + ")");
    database.rows("INSERT INTO @.event (ts, seq, boot, kind) VALUES (" + at(minute) +
                  ", 1, (SELECT id FROM @.boot WHERE boot_id = " + boot_id(boot) + "), 'exec')");
    return *this;
  }
  // "from-to verdict" by minutes, rounded; with details where they are asked for.
  Rows of(const std::string &kind = "exec", bool details = false, double from = 0, double to = 60) {
    const std::string asked = "@.coverage('h', " + at(from) + ", " + at(to) + ")";
    // Whatever the history: no gap, no overlap, all of the time, for each kind.
    CHECK(database.one("SELECT bool_and(first AND last AND joined), count(*) FROM (SELECT "
                       "min(from_ts) = " +
                       at(from) + " AS first, max(to_ts) = " + at(to) +
                       " AS last, "
                       "bool_and(before IS NULL OR before = from_ts) AS joined FROM "
                       "(SELECT *, lag(to_ts) OVER (PARTITION BY kind ORDER BY from_ts) AS before FROM " +
                       asked + ") AS l GROUP BY kind) AS k") == "t|8");
    const auto minute = [](const std::string &column) {
      return "round(extract(epoch FROM " + column + " - timestamptz '2026-01-01 00:00:00+00') / 60)";
    };
    return database.rows("SELECT " + minute("from_ts") + " || '-' || " + minute("to_ts") +
                         " || ' ' || verdict" + (details ? " || ' ' || coalesce(detail, '')" : "") +
                         " FROM " + asked + " WHERE kind = '" + kind + "' ORDER BY from_ts");
  }
  Database database;
};

}  // namespace

TEST_CASE("coverage: a host that nobody knows is blind") {
  CHECK(History{}.of("exec", true) == Rows{"0-60 blind no daemon had begun"});
}

TEST_CASE("coverage: blind before the first start, covered while the daemon lives, pending after") {
  CHECK(History{}.event(10, "start").delivered(50).of() ==
        Rows{"0-10 blind", "10-50 covered", "50-60 pending"});
  CHECK(History{}.event(-10, "start").delivered(70).of() == Rows{"0-60 covered"});
  CHECK(History{}.event(70, "start").delivered(80).of() == Rows{"0-60 blind"});
  CHECK(History{}.event(10, "start").of() == Rows{"0-10 blind", "10-60 pending"});
}

TEST_CASE("coverage: blind between stop and start, whatever was delivered since") {
  CHECK(History{}.event(-5, "start").event(20, "stop").event(30, "start").delivered(90).of("exec", true) ==
        Rows{"0-20 covered ", "20-30 blind the daemon was stopped", "30-60 covered "});
}

TEST_CASE("coverage: after a stop without a start, nothing is known yet") {
  CHECK(History{}.event(-5, "start").event(20, "stop").delivered(20).of() ==
        Rows{"0-20 covered", "20-60 pending"});
}

TEST_CASE("coverage: a takeover leaves no blind time, a start does, and so does a takeover in another boot") {
  CHECK(History{}.event(-5, "start").event(20, "stop").event(30, "takeover").delivered(90).of() ==
        Rows{"0-60 covered"});
  CHECK(History{}
            .event(-5, "start")
            .event(20, "crash")
            .event(30, "start")
            .event(30.05, "takeover")
            .delivered(90)
            .of() == Rows{"0-60 covered"});
  CHECK(History{}.event(-5, "start").event(30, "takeover").delivered(90).of() == Rows{"0-60 covered"});
  CHECK(History{}.event(-5, "start").event(20, "stop").event(30, "takeover", 2).delivered(90).of() ==
        Rows{"0-20 covered", "20-30 blind", "30-60 covered"});
}

TEST_CASE("coverage: a crash is blind until the next start") {
  CHECK(
      History{}.event(-5, "start").event(20, "crash").event(30, "start", 2).delivered(90).of("exec", true) ==
      Rows{"0-20 covered ", "20-30 blind the daemon had crashed", "30-60 covered "});
}

TEST_CASE("coverage: a daemon that ended without a word is believed up to the last that it delivered") {
  CHECK(History{}
            .event(-5, "start")
            .row(15)
            .row(12)
            .row(50, 2)
            .event(30, "start", 2)
            .delivered(90)
            .of("exec", true) ==
        Rows{"0-15 covered ", "15-30 blind the daemon ended without a word", "30-60 covered "});
  CHECK(History{}.event(-5, "start").event(18, "reload").event(30, "start").delivered(90).of() ==
        Rows{"0-18 covered", "18-30 blind", "30-60 covered"});
}

TEST_CASE("coverage: losses are lossy for their kind, or for all, with stage, cause and count") {
  History h;
  h.event(-5, "start")
      .delivered(90)
      .loss(10, 12, "exec", "ring-full", "5")
      .loss(11, 13, "exec", "ring-full", "6");
  h.loss(12, 14, "", "garbage", "NULL").loss(30, 31, "connect", "ring-full", "7");
  CHECK(h.of("exec", true) == Rows{"0-10 covered ",
                                   "10-14 lossy kernel: garbage: unknown, kernel: ring-full: 11",
                                   "14-60 covered "});
  CHECK(h.of("connect", true) == Rows{"0-12 covered ", "12-14 lossy kernel: garbage: unknown",
                                      "14-30 covered ", "30-31 lossy kernel: ring-full: 7",
                                      "31-60 covered "});
  CHECK(h.of("auth") == Rows{"0-12 covered", "12-14 lossy", "14-60 covered"});
}

TEST_CASE("coverage: a loss of one moment, and losses that reach beyond what was asked") {
  History h;
  h.event(-5, "start").delivered(90).loss(10, 10, "exec", "a", "1").loss(-3, 2, "exec", "b", "1");
  h.loss(55, 65, "exec", "c", "1");
  CHECK(h.of() == Rows{"0-2 lossy", "2-10 covered", "10-10 lossy", "10-55 covered", "55-60 lossy"});
}

TEST_CASE("coverage: where nobody watched, a loss changes nothing") {
  CHECK(History{}
            .event(-5, "start")
            .event(20, "stop")
            .event(30, "start")
            .delivered(90)
            .loss(15, 35, "", "daemon-down", "NULL")
            .of() == Rows{"0-15 covered", "15-20 lossy", "20-30 blind", "30-35 lossy", "35-60 covered"});
}

TEST_CASE("coverage: a host that was set up anew is blind in between, and then not held to its old spool") {
  CHECK(History{}.event(-5, "start").delivered(20).event(40, "start", 2, 2).delivered(90, 2).of() ==
        Rows{"0-20 covered", "20-40 blind", "40-60 covered"});
}

TEST_CASE("coverage: of two hosts of one name both must have watched") {
  CHECK(History{}
            .event(-5, "start")
            .event(20, "stop")
            .event(30, "start")
            .delivered(90)
            .event(5, "start", 2, 2)
            .delivered(50, 2)
            .of() == Rows{"0-20 covered", "20-30 blind", "30-50 covered", "50-60 pending"});
}

TEST_CASE("coverage: what the configuration leaves out is blind, of that kind, until the next daemon") {
  History h;
  h.event(-5, "start").left_out(-5, "tcp-connect, tcp-bind, udp-bind");
  h.event(20, "stop").event(30, "takeover").delivered(90);
  CHECK(h.of("connect", true) == Rows{"0-30 blind the configuration left out tcp-connect", "30-60 covered "});
  CHECK(h.of("bind", true) ==
        Rows{"0-30 blind the configuration left out tcp-bind, udp-bind", "30-60 covered "});
  CHECK(h.of() == Rows{"0-60 covered"});
}

TEST_CASE("coverage: what is left out may have been so since the daemon before, and loses to nothing") {
  History h;
  h.event(-5, "start").event(20, "stop").event(30, "takeover").left_out(30, "exec").delivered(58);
  h.loss(10, 12, "exec", "ring-full", "5").loss(40, 41, "exec", "ring-full", "5").dropped(45, 50, "exec", 7);
  CHECK(h.of() == Rows{"0-10 covered", "10-12 lossy", "12-20 covered", "20-58 blind", "58-60 pending"});
  CHECK(h.of("connect") == Rows{"0-58 covered", "58-60 pending"});
}

TEST_CASE("coverage: what is left out before anything that is known of is not believed of earlier daemons") {
  History h;
  h.event(-5, "start")
      .row(15)
      .event(20, "start", 2)
      .event(30, "takeover", 2)
      .left_out(30, "exec")
      .delivered(90);
  CHECK(h.of() == Rows{"0-15 covered", "15-20 blind", "20-30 covered", "30-60 blind"});
}

TEST_CASE("coverage: of two hosts of one name neither may leave it out") {
  History h;
  h.event(-5, "start").delivered(90).event(-4, "start", 2, 2).left_out(-4, "exec", 2).delivered(90, 2);
  CHECK(h.of() == Rows{"0-60 blind"});
}

TEST_CASE("coverage: where rows were dropped, absence proves nothing, unless nobody watched at all") {
  History h;
  h.event(5, "start").event(20, "stop").event(30, "start").delivered(50);
  h.dropped(0, 10, "exec", 7)
      .dropped(15, 35, "exec", 1)
      .dropped(45, 70, "exec", 1)
      .dropped(38, 40, "exec", 0);
  h.loss(8, 12, "exec", "ring-full", "5").loss(33, 37, "", "garbage", "1");
  CHECK(h.of("exec", true) ==
        Rows{"0-5 blind no daemon had begun", "5-10 expired retention has dropped rows of that time",
             "10-12 lossy kernel: ring-full: 5", "12-15 covered ",
             "15-20 expired retention has dropped rows of that time", "20-30 blind the daemon was stopped",
             "30-35 expired retention has dropped rows of that time", "35-37 lossy kernel: garbage: 1",
             "37-45 covered ", "45-60 expired retention has dropped rows of that time"});
  CHECK(h.of("bind") == Rows{"0-5 blind", "5-20 covered", "20-30 blind", "30-33 covered", "33-37 lossy",
                             "37-50 covered", "50-60 pending"});
}
