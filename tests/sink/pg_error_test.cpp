#include "sink/pg_error.h"

#include <doctest/doctest.h>

using iptrackd::Fault;
using iptrackd::sink::fault_of_sqlstate;
using iptrackd::sink::one_line;

TEST_CASE("what passes is tried again") {
  for (const char *state : {"", "08006", "57P01", "57P02", "57P03", "57014", "53100", "53300", "58030",
                            "40P01", "25006", "28P01", "28000", "3D000", "55P03"}) {
    CAPTURE(state);
    CHECK(fault_of_sqlstate(state) == Fault::connection);
  }
}

TEST_CASE("what is wrong with the data is rejected") {
  for (const char *state : {"22021", "22P05", "22008", "23505", "23514", "54000", "44000", "P0001"}) {
    CAPTURE(state);
    CHECK(fault_of_sqlstate(state) == Fault::rejected);
  }
}

TEST_CASE("what an administrator must mend is the environment's fault") {
  for (const char *state : {"42501", "42P01", "3F000", "0A000", "XX000", "2"}) {
    CAPTURE(state);
    CHECK(fault_of_sqlstate(state) == Fault::environment);
  }
}

TEST_CASE("a message is one line without control characters") {
  CHECK(one_line("first\nsecond\n") == "first; second");
  CHECK(one_line("a\x1b[31mb\tc\r\x7f") == "a [31mb c  ");
  CHECK(one_line("") == "");
}

TEST_CASE("a spool that stands elsewhere has moved") {
  CHECK(fault_of_sqlstate("IT001") == Fault::moved);
  CHECK(fault_of_sqlstate("IT002") == Fault::environment);
}
