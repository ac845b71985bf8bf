// A whitelisted program at work: no row of it, and each of its events in the books.
#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>

#include "load.h"
#include "whitelist.h"

namespace iptrackd::scenario {
namespace {

constexpr std::int64_t connects_per_51_events = 14;  // of programs/generator

std::int64_t connections() {
  const char *value = std::getenv("IPTRACKD_TEST_CONNECTIONS");
  return value != nullptr ? std::atoll(value) : 2000;
}

struct Books {
  std::int64_t seen, handed_over, whitelisted;
};

Books books_of(const Daemon &daemon, const std::string &kind) {
  const Json counted = counters(daemon, kind);
  CHECK(counted.at("lost").empty());
  return {counted.at("seen"), counted.at("handed_over"), counted.at("whitelisted")};
}

std::map<std::string, Books> all_books(const Daemon &daemon) {
  std::map<std::string, Books> books;
  for (const char *kind : {"exec", "connect", "accept", "bind", "close"})
    books[kind] = books_of(daemon, kind);
  return books;
}

}  // namespace

TEST_CASE("whitelist: a program that does not exist is judged by the rules for any program") {
  const Whitelist whitelist{whitelist_daemon()};
  const Words test{"test", "--exe", "/no/such/program", "--remote", "10.1.2.3", "--port", "22"};
  CHECK(whitelist.must(test).find("stored") != std::string::npos);
  whitelist.must({"add", "*|p<1>", "*|p<22>"});
  const std::string verdict = whitelist.must(test);
  CAPTURE(verdict);
  CHECK(verdict.find("dropped") != std::string::npos);
  CHECK(verdict.find("*|p<22>") != std::string::npos);
}

TEST_CASE("whitelist: the hits of a busy program are exact and no row comes of it") {
  Daemon &daemon = whitelist_daemon();
  const Whitelist whitelist{daemon};
  const TemporaryDirectory directory;
  const Path program = directory.path() / "generator";
  for (const char *name : {"generator", "noop"})
    std::filesystem::copy_file(settings().programs / name, directory.path() / name);
  whitelist.must({"add", program.string()});
  const auto before = all_books(daemon);
  const std::int64_t since = now_us();
  Launch launch;
  launch.arguments = {program.string(),
                      "events=" + std::to_string(connections() * 51 / connects_per_51_events)};
  const Ended ended = run(launch, std::chrono::seconds{100});
  REQUIRE_MESSAGE(ended.status == 0, ended.err);
  const Generated generated = generated_by(ended.out);
  wait_for_rows(daemon.rows());
  const Counts rows = daemon.rows().of_session(generated.sid, since, now_us());
  // What it executes is another program.
  CHECK(rows == Counts{{"exec", generated.events.at("exec")}});
  std::int64_t hits = 0;
  for (const auto &[kind, books] : all_books(daemon)) {
    CAPTURE(kind);
    const std::int64_t expected = kind == "exec" ? 0 : generated.events.at(kind);
    CHECK(books.whitelisted - before.at(kind).whitelisted == expected);
    CHECK(books.seen == books.handed_over + books.whitelisted);
    hits += expected;
  }
  MESSAGE(generated.events.at("connect"), " connections, ", hits, " hits");
  CHECK(whitelist.hits("network", program) == hits);
  CHECK(lost_since(daemon.rows(), since).count == 0);
}

}  // namespace iptrackd::scenario
