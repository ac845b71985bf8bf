# Packages of what was built, without compiling again: `cmake --build --preset release --target package` makes
# iptrackd_VERSION_ARCHITECTURE.deb in the build directory; `rpmbuild -bb BUILD/packaging/iptrackd.spec` an RPM. A package
# puts files where distributions have them, so that only a build with the prefix / has one.
if(NOT iptrackd_prefix STREQUAL "" OR IPTRACKD_SANITIZE)
  return()
endif()

set(package_components configuration service)
set(package_summary "records who ran what and talked to whom, in SQL")
set(package_description
"BPF programs follow every exec, connect, accept, bind and close of a host, a
PAM callback the logins by ssh. Both come into PostgreSQL, one row an event.
What had to be lost on the way is counted there too.")

# Names that the scripts, the spec and the tests share: all units, and those that the daemon consists of.
foreach(unit IN LISTS units)
  cmake_path(GET unit FILENAME name)
  string(REGEX REPLACE "\\.in$" "" name ${name})
  list(APPEND all_units ${name})
endforeach()
set(daemon_units ${all_units})
list(FILTER daemon_units INCLUDE REGEX "^iptrackd\\.service$|\\.socket$")
set(daemon_sockets ${daemon_units})
list(FILTER daemon_sockets INCLUDE REGEX "\\.socket$")
list(TRANSFORM all_units PREPEND ${iptrackd_units}/ OUTPUT_VARIABLE unit_files)
list(JOIN unit_files "\n" unit_files)
foreach(list all_units daemon_units daemon_sockets package_components)
  list(JOIN ${list} " " ${list})
endforeach()

set(package_files ${PROJECT_BINARY_DIR}/packaging)
foreach(script postinst prerm postrm)
  configure_file(packaging/debian/${script} ${package_files}/debian/${script} @ONLY
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
endforeach()
file(CONFIGURE OUTPUT ${package_files}/debian/conffiles CONTENT
  "@CONFIGURATION_FILEPATH_DEFAULT@\n@CMAKE_INSTALL_FULL_SYSCONFDIR@/iptrackd-maintain.yml\n" @ONLY)
configure_file(packaging/iptrackd.spec.in ${package_files}/iptrackd.spec @ONLY)

# Debian wants a log of the package's changes beside it.
configure_file(packaging/debian/changelog ${package_files}/debian/changelog @ONLY)
add_custom_command(OUTPUT ${package_files}/debian/changelog.gz
  COMMAND gzip -9nkf ${package_files}/debian/changelog
  DEPENDS ${package_files}/debian/changelog VERBATIM)
add_custom_target(package_changelog ALL DEPENDS ${package_files}/debian/changelog.gz)
install(FILES ${package_files}/debian/changelog.gz DESTINATION ${iptrackd_DOCDIR} COMPONENT debian EXCLUDE_FROM_ALL)

install(FILES packaging/debian/lintian-overrides DESTINATION ${iptrackd_DATADIR}/lintian/overrides RENAME iptrackd
        COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT ${IPTRACKD_PACKAGE_CONTACT})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY ${package_summary})
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION ${package_description})
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libpam-modules, systemd | systemd-standalone-sysusers")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "openssh-server, postgresql")
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA
  ${package_files}/debian/conffiles ${package_files}/debian/postinst
  ${package_files}/debian/prerm ${package_files}/debian/postrm)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_STRIP_FILES ON)
# The configuration has an absolute path, which only DESTDIR moves into the package.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
foreach(component ALL configuration service debian)
  list(APPEND CPACK_INSTALL_CMAKE_PROJECTS ${PROJECT_BINARY_DIR} ${PROJECT_NAME} ${component} /)
endforeach()
include(CPack)
