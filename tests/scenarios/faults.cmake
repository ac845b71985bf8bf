# iptrackd-with-faults: the daemon with a loader whose hooks the environment can break (src/loader/planted_fault.h), for the
# tests that show that a broken hook is noticed.
get_target_property(loader_sources iptrackd_loader SOURCES)
add_library(loader_with_faults STATIC ${loader_sources})
add_dependencies(loader_with_faults iptrackd_skeleton)
target_link_libraries(loader_with_faults PUBLIC iptrackd::core PRIVATE PkgConfig::LIBBPF PkgConfig::LIBURING PkgConfig::RE2)
target_include_directories(loader_with_faults SYSTEM BEFORE PRIVATE ${PROJECT_BINARY_DIR}/generated/bpf)
target_compile_definitions(loader_with_faults PRIVATE IPTRACKD_PLANT_FAULTS)

add_executable(iptrackd-with-faults)
target_link_libraries(iptrackd-with-faults PRIVATE iptrackd_app loader_with_faults)
set_target_properties(iptrackd-with-faults PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
