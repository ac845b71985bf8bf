# Flags shared by all user-space targets, carried by one interface target.
add_library(iptrackd_flags INTERFACE)
add_library(iptrackd::flags ALIAS iptrackd_flags)
target_include_directories(iptrackd_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src ${PROJECT_BINARY_DIR}/generated)
target_compile_options(iptrackd_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -fstack-protector-strong
  $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor -Woverloaded-virtual>
  $<$<BOOL:$<TARGET_PROPERTY:IPTRACKD_IS_TEST>>:-O0>  # halves the time that the tests take to build
  $<$<BOOL:${IPTRACKD_WERROR}>:-Werror>)
if(IPTRACKD_SANITIZE)
  target_compile_options(iptrackd_flags INTERFACE
    -fsanitize=${IPTRACKD_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(iptrackd_flags INTERFACE -fsanitize=${IPTRACKD_SANITIZE})
else()
  target_compile_definitions(iptrackd_flags INTERFACE
    $<$<NOT:$<OR:$<CONFIG:Debug>,$<BOOL:$<TARGET_PROPERTY:IPTRACKD_IS_TEST>>>>:_FORTIFY_SOURCE=2>)
endif()

# iptrackd_room(NAME LINK libraries... PRIVATE_LINK libraries...): the folder src/NAME as one static library. Every .cpp
# in the folder belongs to the room.
function(iptrackd_room name)
  cmake_parse_arguments(room "" "" "LINK;PRIVATE_LINK" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*.cpp)
  add_library(iptrackd_${name} STATIC ${sources})
  add_library(iptrackd::${name} ALIAS iptrackd_${name})
  target_link_libraries(iptrackd_${name} PUBLIC iptrackd::flags ${room_LINK} PRIVATE ${room_PRIVATE_LINK})
endfunction()

# iptrackd_unit_tests(NAME [THREADS] LINK libraries... ALONE files...): every *_test.cpp of tests/NAME as one program and one
# ctest entry, unit.NAME. THREADS: threads meet there, so that ThreadSanitizer looks at it, but for the files ALONE, where
# there is one thread only.
function(iptrackd_unit_tests name)
  cmake_parse_arguments(tests "THREADS" "" "LINK;ALONE" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/*_test.cpp)
  add_executable(unit-${name} ${sources})
  target_link_libraries(unit-${name} PRIVATE iptrackd::${name} doctest_main ${tests_LINK})
  target_include_directories(unit-${name} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  set_target_properties(unit-${name} PROPERTIES
    IPTRACKD_IS_TEST ON RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
  set(filter)
  if(tests_ALONE AND IPTRACKD_SANITIZE MATCHES "thread")
    list(TRANSFORM tests_ALONE PREPEND "*/")
    list(JOIN tests_ALONE "," files)
    set(filter "--source-file-exclude=${files}")
  endif()
  add_test(NAME unit.${name} COMMAND unit-${name} ${filter})
  set_tests_properties(unit.${name} PROPERTIES LABELS unit TIMEOUT 120)
  if(tests_THREADS)
    set_property(TEST unit.${name} APPEND PROPERTY LABELS threads)
  endif()
endfunction()
