# The ctest fixture `postgres`: a private cluster under the build tree while the tests that require it run. Such a test
# finds the cluster by the variable IPTRACKD_TEST_CONNECTION_ENV, the path of a file with PGHOST, PGPORT, PGUSER and
# PGDATABASE.
set(IPTRACKD_TEST_POSTGRES ${CMAKE_BINARY_DIR}/postgres)
set(IPTRACKD_POSTGRES_SCRIPT ${PROJECT_SOURCE_DIR}/scripts/postgres.sh)

add_test(NAME postgres.start COMMAND ${IPTRACKD_POSTGRES_SCRIPT} start ${IPTRACKD_TEST_POSTGRES})
add_test(NAME postgres.stop COMMAND ${IPTRACKD_POSTGRES_SCRIPT} remove ${IPTRACKD_TEST_POSTGRES})
set_tests_properties(postgres.start PROPERTIES FIXTURES_SETUP postgres TIMEOUT 120)
set_tests_properties(postgres.stop PROPERTIES FIXTURES_CLEANUP postgres TIMEOUT 120)

# iptrackd_requires_postgres(TEST...): these tests run between the two. IPTRACKD_POSTGRES_SCRIPT lets a test have a
# cluster of its own, which it may stop and start without disturbing others.
function(iptrackd_requires_postgres)
  set_property(TEST ${ARGN} APPEND PROPERTY FIXTURES_REQUIRED postgres)
  set_property(TEST ${ARGN} APPEND PROPERTY ENVIRONMENT
    IPTRACKD_TEST_CONNECTION_ENV=${IPTRACKD_TEST_POSTGRES}/connection.env
    IPTRACKD_POSTGRES_SCRIPT=${IPTRACKD_POSTGRES_SCRIPT})
endfunction()
