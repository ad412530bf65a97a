# A package for Debian: the program, the C library, its manual, completions, unit and configuration. script/package makes it.
# Components: `server` (with SwitchbackInstall) goes anywhere; `debian` belongs to a package, and `cmake --install` alone leaves it out.
if(NOT TARGET switchback)
  return()
endif()

# Manual pages and completions come from the program itself, so that they cannot differ from --help.
set(manual_dir ${PROJECT_BINARY_DIR}/manual)
add_custom_command(OUTPUT ${manual_dir}/stamp
  COMMAND ${CMAKE_COMMAND} -E rm -rf ${manual_dir}
  COMMAND ${CMAKE_COMMAND} -E make_directory ${manual_dir}/man1 ${manual_dir}/completion
  COMMAND switchback man --to ${manual_dir}/man1
  COMMAND switchback completion bash > ${manual_dir}/completion/switchback
  COMMAND switchback completion zsh > ${manual_dir}/completion/_switchback
  COMMAND switchback completion fish > ${manual_dir}/completion/switchback.fish
  COMMAND gzip -9n < ${PROJECT_SOURCE_DIR}/packaging/debian/changelog > ${manual_dir}/changelog.gz
  COMMAND gzip -9nr ${manual_dir}/man1
  COMMAND ${CMAKE_COMMAND} -E touch ${manual_dir}/stamp
  DEPENDS switchback ${PROJECT_SOURCE_DIR}/packaging/debian/changelog VERBATIM)
add_custom_target(switchback_manual DEPENDS ${manual_dir}/stamp)

install(DIRECTORY ${manual_dir}/man1/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${manual_dir}/completion/switchback DESTINATION share/bash-completion/completions COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${manual_dir}/completion/_switchback DESTINATION share/zsh/vendor-completions COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${manual_dir}/completion/switchback.fish DESTINATION share/fish/vendor_completions.d COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/switchback.service DESTINATION lib/systemd/system COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/packaging/config.json DESTINATION /etc/switchback COMPONENT debian EXCLUDE_FROM_ALL)
install(FILES ${PROJECT_SOURCE_DIR}/README.md ${PROJECT_SOURCE_DIR}/packaging/debian/copyright
              ${manual_dir}/changelog.gz
        DESTINATION share/doc/switchback COMPONENT debian EXCLUDE_FROM_ALL)
install(DIRECTORY ${PROJECT_SOURCE_DIR}/docs/ DESTINATION share/doc/switchback/docs COMPONENT debian EXCLUDE_FROM_ALL
        PATTERN screenshots EXCLUDE)

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME switchback)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_CONTACT "the maintainers of Switchback <maintainers@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "key-value service that moves from LMDB to SQLite, and back")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION "Clients speak RESP or HTTP. A flag decides which store answers; both hold every\nacknowledged write, so that going back is instant and loses nothing.")
set(CPACK_INSTALL_CMAKE_PROJECTS "${PROJECT_BINARY_DIR};switchback;server;/;${PROJECT_BINARY_DIR};switchback;c_library;/;${PROJECT_BINARY_DIR};switchback;debian;/")
# The configuration lies outside of the prefix.
set(CPACK_SET_DESTDIR ON)
set(CPACK_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
# Whoever links with the C library depends on this package.
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "redis-tools, lmdb-utils, sqlite3")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
foreach(script postinst prerm postrm conffiles triggers)
  list(APPEND CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/packaging/debian/${script})
endforeach()
include(CPack)
