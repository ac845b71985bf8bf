# What `cmake --install` puts where. With the prefix / the programs stand below /usr and the configuration in /etc, as
# GNUInstallDirs has it for full paths; here they are made relative again, so that --prefix and DESTDIR move them.
foreach(name SBINDIR LIBEXECDIR DOCDIR MANDIR DATADIR)
  cmake_path(RELATIVE_PATH CMAKE_INSTALL_FULL_${name} BASE_DIRECTORY "${iptrackd_prefix}/" OUTPUT_VARIABLE iptrackd_${name})
endforeach()
set(iptrackd_units ${iptrackd_prefix}/lib/systemd/system)
set(iptrackd_sysusers ${iptrackd_prefix}/lib/sysusers.d)

# What is off by default is a component that is installed by name only, as a package does.
set(configuration_component COMPONENT configuration)
if(NOT SHOULD_INSTALL_CONFIG_TEMPLATE)
  list(APPEND configuration_component EXCLUDE_FROM_ALL)
endif()
set(service_component COMPONENT service)
if(NOT SHOULD_INSTALL_SYSTEMD_SERVICE)
  list(APPEND service_component EXCLUDE_FROM_ALL)
endif()

install(TARGETS iptrackd RUNTIME DESTINATION ${iptrackd_SBINDIR})
install(TARGETS iptrackd-pam-callback RUNTIME DESTINATION ${iptrackd_LIBEXECDIR})

cmake_path(GET CONFIGURATION_FILEPATH_DEFAULT PARENT_PATH config_directory)
cmake_path(GET CONFIGURATION_FILEPATH_DEFAULT FILENAME config_name)
cmake_path(REPLACE_EXTENSION CONFIGURATION_FILEPATH_DEFAULT LAST_ONLY .d OUTPUT_VARIABLE drop_in_directory)
# The template names the defaults; those that this build changed must stand in what is installed.
file(READ ${PROJECT_SOURCE_DIR}/config/iptrackd.yml template)
string(REPLACE "fifo-file: /run/iptrackd/pam.fifo" "fifo-file: ${FIFO_FILEPATH_DEFAULT}" template "${template}")
file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/iptrackd.yml CONTENT "${template}" @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/iptrackd.yml DESTINATION ${config_directory}
        RENAME ${config_name} PERMISSIONS OWNER_READ OWNER_WRITE ${configuration_component})
install(FILES config/iptrackd-maintain.yml DESTINATION ${CMAKE_INSTALL_FULL_SYSCONFDIR} ${configuration_component})
install(DIRECTORY DESTINATION ${drop_in_directory} ${configuration_component})

# Every unit of packaging/, whichever there are.
file(GLOB units CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/packaging/*.service.in ${PROJECT_SOURCE_DIR}/packaging/*.socket.in
     ${PROJECT_SOURCE_DIR}/packaging/*.timer.in ${PROJECT_SOURCE_DIR}/packaging/*.timer)
foreach(unit IN LISTS units)
  cmake_path(GET unit FILENAME name)
  string(REGEX REPLACE "\\.in$" "" name ${name})
  configure_file(${unit} ${PROJECT_BINARY_DIR}/${name} @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${name} DESTINATION ${iptrackd_units} ${service_component})
endforeach()
install(FILES packaging/iptrackd.sysusers DESTINATION ${iptrackd_sysusers} RENAME iptrackd.conf ${service_component})

install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/SECURITY.md ${PROJECT_SOURCE_DIR}/docs/database.md
        ${PROJECT_SOURCE_DIR}/docs/whitelist.md DESTINATION ${iptrackd_DOCDIR})
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE DESTINATION ${iptrackd_DOCDIR} RENAME copyright)
file(GLOB profiles CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/profiles/*.yml)
install(FILES ${profiles} ${PROJECT_SOURCE_DIR}/packaging/pam-sshd DESTINATION ${iptrackd_DOCDIR}/examples)
file(GLOB policy CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/selinux/iptrackd.*)
install(FILES ${policy} DESTINATION ${iptrackd_DOCDIR}/examples/selinux)
include(Descriptions)
