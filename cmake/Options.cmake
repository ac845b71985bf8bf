# The build options. Those above the line keep the names that iptracking gave them, so that a site's build
# recipe goes on working; SECONDS and RECORDS are the defaults compiled into iptrackd::Config.
include(GNUInstallDirs)

string(REGEX REPLACE "/$" "" iptrackd_prefix "${CMAKE_INSTALL_PREFIX}")

set(CONFIGURATION_FILEPATH_DEFAULT "${iptrackd_prefix}/etc/iptrackd.yml" CACHE FILEPATH
    "Default of --config")
set(FIFO_FILEPATH_DEFAULT "${iptrackd_prefix}/run/iptrackd/pam.fifo" CACHE FILEPATH
    "The named pipe that the PAM callback writes and the daemon reads")
option(SHOULD_INSTALL_CONFIG_TEMPLATE "Install config/iptrackd.yml as the configuration" OFF)
option(SHOULD_INSTALL_SYSTEMD_SERVICE "Install the systemd service" OFF)

set(LOG_POOL_RECORDS_MIN 32 CACHE STRING "Records that the pool allocates at the start")
set(LOG_POOL_RECORDS_MAX 0 CACHE STRING "Records that the pool may grow to; 0 is the built-in memory cap")
set(LOG_POOL_RECORDS_DELTA 32 CACHE STRING "Records that the pool grows by")
set(LOG_POOL_DEFAULT_PUSH_WAIT_SECONDS_MIN 5 CACHE STRING "First wait for a free record, at most")
set(LOG_POOL_DEFAULT_PUSH_WAIT_SECONDS_MAX 600 CACHE STRING "Longest wait for a free record")
set(LOG_POOL_DEFAULT_PUSH_WAIT_SECONDS_DT 5 CACHE STRING "What each further wait is longer by")
set(LOG_POOL_DEFAULT_PUSH_WAIT_SECONDS_DT_THRESH 4 CACHE STRING "Waits before they begin to grow")

# ---------------------------------------------------------------------------------------------------------
set(IPTRACKD_BTF "/sys/kernel/btf/vmlinux" CACHE FILEPATH
    "Kernel BTF that vmlinux.h is generated from; any kernel of the same architecture will do (CO-RE)")
set(IPTRACKD_SANITIZE "" CACHE STRING "Sanitizers: address,undefined or thread")
option(IPTRACKD_WERROR "Treat warnings as errors" OFF)
option(IPTRACKD_PLANT_FAULTS "Let the environment break hooks (src/loader/planted_fault.h); for tests, never to be installed" OFF)
set(IPTRACKD_ZSH_COMPLETIONS "${CMAKE_INSTALL_FULL_DATADIR}/zsh/vendor-completions" CACHE PATH
    "Where zsh looks for completions; site-functions instead of vendor-completions where that is not Debian's")
set(IPTRACKD_PACKAGE_CONTACT "The iptrackd authors <iptrackd@localhost>" CACHE STRING "Maintainer of packages made here")
option(IPTRACKD_LONG_TESTS "Every scenario file on every kernel in a virtual machine (an hour)" OFF)

configure_file(${PROJECT_SOURCE_DIR}/cmake/build_options.h.in
               ${PROJECT_BINARY_DIR}/generated/iptrackd/build_options.h @ONLY)
