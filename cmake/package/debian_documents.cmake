# Run by cpack between installing and packing: the files that every Debian package has in share/doc/PACKAGE
# (Debian Policy 12.5 and 12.7), copyright and changelog.Debian.gz.
if(NOT CPACK_GENERATOR STREQUAL "DEB")
  return()
endif()
# string(TIMESTAMP) follows SOURCE_DATE_EPOCH.
set(ENV{LC_ALL} C)
string(TIMESTAMP date "%a, %d %b %Y %H:%M:%S +0000" UTC)
set(permissions OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)
foreach(component IN LISTS CPACK_COMPONENTS_ALL)
  string(TOUPPER ${component} name)
  set(package ${CPACK_DEBIAN_${name}_PACKAGE_NAME})
  set(doc ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/usr/share/doc/${package})
  configure_file(${CMAKE_CURRENT_LIST_DIR}/copyright ${doc}/copyright COPYONLY FILE_PERMISSIONS ${permissions})
  set(changelog ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/../changelog.Debian)
  file(WRITE ${changelog} "ebb (${CPACK_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}) unstable; urgency=medium

  * What is new is in /usr/share/doc/ebb/CHANGELOG.md of the package ebb.

 -- ${CPACK_PACKAGE_CONTACT}  ${date}
")
  execute_process(COMMAND gzip -9nc ${changelog} OUTPUT_FILE ${doc}/changelog.Debian.gz
    COMMAND_ERROR_IS_FATAL ANY)
  file(CHMOD ${doc}/changelog.Debian.gz PERMISSIONS ${permissions})
  # Whatever the umask of who packs.
  file(GLOB_RECURSE entries LIST_DIRECTORIES true ${CPACK_TEMPORARY_INSTALL_DIRECTORY}/${component}/*)
  foreach(entry IN LISTS entries)
    if(IS_DIRECTORY ${entry})
      file(CHMOD ${entry} PERMISSIONS ${CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS})
    endif()
  endforeach()
endforeach()
