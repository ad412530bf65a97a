# Installs the library for find_package(switchback), the C library for pkg-config, and the program. Components: `library`,
# `c_library`, `server`.
#   cmake --install build/release --prefix /usr/local [--component library]
include(CMakePackageConfigHelpers)

set(switchback_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/switchback)

install(TARGETS switchback_common switchback_backends switchback_flags switchback_service switchback_migration
        EXPORT switchbackTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library)
foreach(folder common backends flags service migration)
  install(DIRECTORY ${PROJECT_SOURCE_DIR}/${folder} DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/switchback
          COMPONENT library FILES_MATCHING PATTERN "*.hpp")
endforeach()
install(EXPORT switchbackTargets NAMESPACE switchback:: DESTINATION ${switchback_package_dir} COMPONENT library)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/switchbackConfig.cmake.in
                              ${PROJECT_BINARY_DIR}/switchbackConfig.cmake
                              INSTALL_DESTINATION ${switchback_package_dir})
# Before 1.0 a new minor version may change any interface.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/switchbackConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/switchbackConfig.cmake
              ${PROJECT_BINARY_DIR}/switchbackConfigVersion.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindLMDB.cmake
              ${PROJECT_SOURCE_DIR}/cmake/FindxxHash.cmake
        DESTINATION ${switchback_package_dir} COMPONENT library)

# One shared library, one header: what C and other languages need.
install(TARGETS switchback_c LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT c_library NAMELINK_COMPONENT c_library)
install(FILES ${PROJECT_SOURCE_DIR}/server/capi/switchback.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT c_library)
# Relative to where the file lies, so that --prefix and packages need no other one.
file(RELATIVE_PATH switchback_pc_prefix /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
string(REGEX REPLACE "/$" "" switchback_pc_prefix ${switchback_pc_prefix})
configure_file(${PROJECT_SOURCE_DIR}/cmake/switchback.pc.in ${PROJECT_BINARY_DIR}/switchback.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/switchback.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig COMPONENT c_library)

if(TARGET switchback)
  install(TARGETS switchback RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
endif()
