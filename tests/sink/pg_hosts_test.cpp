#include "sink/pg_hosts.h"

#include <doctest/doctest.h>

using iptrackd::sink::each_server;
using iptrackd::sink::PgKeywords;
using iptrackd::sink::with_defaults;

TEST_CASE("servers come one by one, in their order") {
  const PgKeywords two{{"host", "a,b"}, {"port", "1,2"}, {"user", "u,v"}};
  CHECK(each_server(two) == std::vector<PgKeywords>{{{"host", "a"}, {"port", "1"}, {"user", "u,v"}},
                                                    {{"host", "b"}, {"port", "2"}, {"user", "u,v"}}});
  CHECK(each_server({{"host", "a,b"}, {"hostaddr", ",::1"}, {"port", "7"}}) ==
        std::vector<PgKeywords>{{{"host", "a"}, {"hostaddr", ""}, {"port", "7"}},
                                {{"host", "b"}, {"hostaddr", "::1"}, {"port", "7"}}});
  CHECK(each_server({{"dbname", "d"}}) == std::vector<PgKeywords>{{{"dbname", "d"}}});
}

TEST_CASE("lists that do not match are left to libpq") {
  for (const PgKeywords &wrong :
       {PgKeywords{{"host", "a,b"}, {"hostaddr", "::1"}}, PgKeywords{{"host", "a,b"}, {"port", "1,2,3"}}}) {
    CHECK(each_server(wrong) == std::vector<PgKeywords>{wrong});
  }
}

TEST_CASE("what the user set stands; several servers mean the one that takes rows") {
  CHECK(with_defaults({{"tcp_user_timeout", "7"}})["tcp_user_timeout"] == "7");
  CHECK(with_defaults({})["keepalives_idle"] == "30");
  CHECK(with_defaults({{"host", "a"}}).count("target_session_attrs") == 0);
  CHECK(with_defaults({{"host", "a,b"}})["target_session_attrs"] == "read-write");
  CHECK(with_defaults({{"host", "a,b"}, {"target_session_attrs", "any"}})["target_session_attrs"] == "any");
}
