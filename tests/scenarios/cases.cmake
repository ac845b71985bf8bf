# iptrackd_scenario_cases(FILE VARIABLE): the names of the test cases in FILE_test.cpp. They stand in the sources: whoever
# adds a case need not add it here. CMake runs again when the file changes.
set(IPTRACKD_SCENARIOS ${CMAKE_CURRENT_LIST_DIR})
function(iptrackd_scenario_cases file variable)
  set(source ${IPTRACKD_SCENARIOS}/${file}_test.cpp)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source})
  file(STRINGS ${source} lines REGEX "^TEST_CASE\\(\"")
  list(TRANSFORM lines REPLACE "^TEST_CASE\\(\"([^\"]*)\".*" "\\1")
  set(${variable} "${lines}" PARENT_SCOPE)
endfunction()
