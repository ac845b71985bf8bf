install(TARGETS iptrackd RUNTIME DESTINATION ${CMAKE_INSTALL_SBINDIR})
install(TARGETS iptrackd-pam-callback RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR})
if(SHOULD_INSTALL_CONFIG_TEMPLATE)
  get_filename_component(config_directory ${CONFIGURATION_FILEPATH_DEFAULT} DIRECTORY)
  get_filename_component(config_name ${CONFIGURATION_FILEPATH_DEFAULT} NAME)
  install(FILES ${PROJECT_SOURCE_DIR}/config/iptrackd.yml DESTINATION ${config_directory}
          RENAME ${config_name} PERMISSIONS OWNER_READ OWNER_WRITE)
endif()
