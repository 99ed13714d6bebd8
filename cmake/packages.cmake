# What `cpack -G DEB` and `cpack -G TGZ` make, in the build directory, of what cmake/install.cmake installs:
#   ebb_0.1.0-1_amd64.deb          the programs
#   libebb0_0.1.0-1_amd64.deb      libebb.so.0
#   libebb-dev_0.1.0-1_amd64.deb   headers and what find_package(ebb) needs
#   ebb-0.1.0-Linux-x86_64.tar.gz  the programs, to be unpacked anywhere
if(NOT PROJECT_IS_TOP_LEVEL OR NOT EBB_PROGRAMS)
  return()
endif()
set(EBB_PACKAGE_MAINTAINER "The ebb authors <ebb@users.noreply.github.com>" CACHE STRING
  "Who answers for the Debian packages: Name <address>")

set(CPACK_PACKAGE_NAME ebb)
set(CPACK_PACKAGE_VENDOR "The ebb authors")
set(CPACK_PACKAGE_CONTACT "${EBB_PACKAGE_MAINTAINER}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_VERBATIM_VARIABLES ON)
set(CPACK_STRIP_FILES ON)
set(CPACK_THREADS 0)
# Whatever the umask of who packs.
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS
  OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_COMPONENTS_ALL programs)
if(TARGET ebb_shared)
  list(APPEND CPACK_COMPONENTS_ALL library development)
endif()
set(CPACK_PROJECT_CONFIG_FILE ${CMAKE_CURRENT_LIST_DIR}/package/cpack_generator.cmake)
set(CPACK_PRE_BUILD_SCRIPTS ${CMAKE_CURRENT_LIST_DIR}/package/debian_documents.cmake)

set(CPACK_ARCHIVE_FILE_NAME ebb-${PROJECT_VERSION}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR})

set(CPACK_GENERATOR TGZ)
find_program(EBB_SHLIBDEPS dpkg-shlibdeps)
if(EBB_SHLIBDEPS)
  list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(version ${PROJECT_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE})

set(CPACK_DEBIAN_PROGRAMS_PACKAGE_NAME ebb)
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_SECTION science)
# Labels of grids and plots are drawn with this font.
set(CPACK_DEBIAN_PROGRAMS_PACKAGE_DEPENDS fonts-dejavu-core)
set(CPACK_DEBIAN_PROGRAMS_DESCRIPTION "tensor engine for diffusion UNets (programs)
The programs ebb, which draws digits and edits images with diffusion models,
train_mnist and train_text_to_image, which train them, with the pretrained
models. Everything is computed by kernels of its own, on the CPU.")
if(EBB_WITH_CUDA)
  string(REPLACE "on the CPU." "on the CPU or on an NVIDIA GPU." CPACK_DEBIAN_PROGRAMS_DESCRIPTION
    "${CPACK_DEBIAN_PROGRAMS_DESCRIPTION}")
endif()

set(soname libebb${PROJECT_VERSION_MAJOR})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_NAME ${soname})
set(CPACK_DEBIAN_LIBRARY_PACKAGE_SECTION libs)
# The pretrained models.
set(CPACK_DEBIAN_LIBRARY_PACKAGE_RECOMMENDS ebb)
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/package/triggers)
set(CPACK_DEBIAN_LIBRARY_DESCRIPTION "tensor engine for diffusion UNets (shared library)
The library loads diffusion models, generates images with them and trains them.")

set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_NAME libebb-dev)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "${soname} (= ${version})")
set(CPACK_DEBIAN_DEVELOPMENT_DESCRIPTION "tensor engine for diffusion UNets (development files)
Headers, examples, and what find_package and pkg-config need to compile
programs that use the library.")

include(CPack)
