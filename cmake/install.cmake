# What `cmake --install` installs, by component:
#   programs     ebb, train_mnist, train_text_to_image, their completions and manuals, the pretrained models, documents
#   library      libebb.so.0
#   development  headers, libebb.so, the files of find_package(ebb) and pkg-config, examples
# Nothing holds the prefix, so that it may be moved.
set(doc ${CMAKE_INSTALL_DATADIR}/doc/ebb)

if(EBB_PROGRAMS)
  install(TARGETS ebb train_mnist train_text_to_image RUNTIME
    DESTINATION ${CMAKE_INSTALL_BINDIR} COMPONENT programs)
endif()
if(EBB_PROGRAMS AND NOT CMAKE_CROSSCOMPILING)  # the programs print them
  set(documents ${PROJECT_BINARY_DIR}/documents)
  add_custom_command(OUTPUT ${documents}/stamp
    COMMAND ${CMAKE_COMMAND} -DEBB=$<TARGET_FILE:ebb>
      "-DTRAINERS=$<TARGET_FILE:train_mnist>;$<TARGET_FILE:train_text_to_image>" -DOUTPUT=${documents} -P ${PROJECT_SOURCE_DIR}/cmake/documents.cmake
    DEPENDS ebb train_mnist train_text_to_image ${PROJECT_SOURCE_DIR}/cmake/documents.cmake VERBATIM)
  add_custom_target(ebb_documents ALL DEPENDS ${documents}/stamp)
  install(DIRECTORY ${documents}/man/ DESTINATION ${CMAKE_INSTALL_MANDIR} COMPONENT programs)
  install(DIRECTORY ${documents}/ DESTINATION ${CMAKE_INSTALL_DATADIR} COMPONENT programs
    PATTERN man EXCLUDE PATTERN stamp EXCLUDE)
endif()
install(DIRECTORY weights/pretrained/ DESTINATION ${CMAKE_INSTALL_DATADIR}/ebb/models
  COMPONENT programs FILES_MATCHING PATTERN *.safetensors)
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${doc} COMPONENT programs)
install(DIRECTORY docs/ DESTINATION ${doc}/docs COMPONENT programs)

if(NOT TARGET ebb_shared)
  message(STATUS "libebb: not installed (EBB_SHARED is OFF, or sanitizers are in use)")
  return()
endif()

install(TARGETS ebb_shared EXPORT ebbTargets
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} COMPONENT library NAMELINK_COMPONENT development)
install(DIRECTORY include/ebb DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} COMPONENT development)
install(DIRECTORY examples/ DESTINATION ${doc}/examples COMPONENT development)

set(config ${CMAKE_INSTALL_LIBDIR}/cmake/ebb)
include(CMakePackageConfigHelpers)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/ebbConfigVersion.cmake
  COMPATIBILITY SameMinorVersion)
install(EXPORT ebbTargets NAMESPACE ebb:: DESTINATION ${config} COMPONENT development)
install(FILES cmake/package/ebbConfig.cmake ${PROJECT_BINARY_DIR}/ebbConfigVersion.cmake
  DESTINATION ${config} COMPONENT development)

# From the directory of ebb.pc.
foreach(name LIB INCLUDE)
  file(RELATIVE_PATH EBB_PC_${name}DIR
    ${CMAKE_INSTALL_FULL_LIBDIR}/pkgconfig ${CMAKE_INSTALL_FULL_${name}DIR})
endforeach()
configure_file(cmake/package/ebb.pc.in ebb.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ebb.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig
  COMPONENT development)
