# What tells shells and people of the command line: completions, printed by the program itself, and man pages. All of it is
# made by the target `descriptions`.
set(descriptions ${PROJECT_BINARY_DIR}/descriptions)
file(MAKE_DIRECTORY ${descriptions})

# Relative as all else is, for --prefix, where it is below the prefix.
set(zsh_completions ${IPTRACKD_ZSH_COMPLETIONS})
cmake_path(IS_PREFIX CMAKE_INSTALL_PREFIX "${zsh_completions}" zsh_is_below)
if(zsh_is_below)
  cmake_path(RELATIVE_PATH zsh_completions BASE_DIRECTORY "${iptrackd_prefix}/")
endif()

foreach(shell bash zsh)
  add_custom_command(OUTPUT ${descriptions}/completion.${shell}
    COMMAND iptrackd completion ${shell} > ${descriptions}/completion.${shell}
    DEPENDS iptrackd COMMENT "Completion for ${shell}" VERBATIM)
  list(APPEND described ${descriptions}/completion.${shell})
endforeach()
install(FILES ${descriptions}/completion.bash
        DESTINATION ${iptrackd_DATADIR}/bash-completion/completions RENAME iptrackd)
install(FILES ${descriptions}/completion.zsh DESTINATION ${zsh_completions} RENAME _iptrackd)

# gzip -n leaves out the time, so that two builds make the same file.
file(GLOB pages RELATIVE ${PROJECT_SOURCE_DIR}/packaging/man CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/packaging/man/*.in)
foreach(source IN LISTS pages)
  string(REGEX REPLACE "\\.in$" "" page ${source})
  string(REGEX MATCH "[0-9]$" section ${page})
  configure_file(packaging/man/${source} ${descriptions}/${page} @ONLY)
  add_custom_command(OUTPUT ${descriptions}/${page}.gz
    COMMAND gzip -9nkf ${descriptions}/${page}
    DEPENDS ${descriptions}/${page} COMMENT "Man page ${page}" VERBATIM)
  list(APPEND manuals ${descriptions}/${page}.gz)
  install(FILES ${descriptions}/${page}.gz DESTINATION ${iptrackd_MANDIR}/man${section})
endforeach()

add_custom_target(descriptions ALL DEPENDS ${described} ${manuals})
