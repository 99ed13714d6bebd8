# The headers of the standard library, parsed once: they are half of the time that a file takes.
#
# Sources include what they use all the same: CUDA and emulated files, other compilers and a build
# with -DCMAKE_DISABLE_PRECOMPILE_HEADERS=ON get none. One set of flags is enough: GCC, unlike Clang,
# takes the result for files with other -O and -D.
set(EBB_STANDARD_HEADERS <algorithm> <array> <charconv> <chrono> <cmath> <cstdint> <cstring>
  <filesystem> <fstream> <functional> <iomanip> <iostream> <limits> <map> <memory> <numeric>
  <optional> <set> <span> <sstream> <string> <string_view> <utility> <variant> <vector>)

# Every target in `directory` and below that compiles C++ of the project reuses ebb_base's.
function(ebb_reuse_precompiled_headers directory)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    return()
  endif()
  get_property(targets DIRECTORY ${directory} PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target IN LISTS targets)
    get_target_property(type ${target} TYPE)
    get_target_property(own ${target} PRECOMPILE_HEADERS)
    get_target_property(reused ${target} PRECOMPILE_HEADERS_REUSE_FROM)
    if(type MATCHES "LIBRARY|EXECUTABLE" AND NOT type STREQUAL "INTERFACE_LIBRARY"
        AND NOT own AND NOT reused)
      target_precompile_headers(${target} REUSE_FROM ebb_base)
    endif()
  endforeach()
  get_property(directories DIRECTORY ${directory} PROPERTY SUBDIRECTORIES)
  foreach(directory IN LISTS directories)
    ebb_reuse_precompiled_headers(${directory})
  endforeach()
endfunction()
