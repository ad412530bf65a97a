# Installs the library for find_package(switchback), and the program. Components: `library`, `server`.
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

if(TARGET switchback)
  install(TARGETS switchback RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT server)
endif()
