# CUDA kernels on the host: sets EBB_WITH_EMULATOR and defines how .cu files are compiled as C++.
#
#   target_link_libraries(x PUBLIC ebb_emulated) and ebb_emulate(FILE...)  in the same directory
#
# The emulator's checker lives on the calls that -fsanitize=thread and =alignment make the compiler
# put before memory accesses, and =signed-integer-overflow behind sums and products; their libraries are not linked (emulator/instrumentation.cc answers). So a build under
# a sanitizer has no emulator.
set(EBB_WITH_EMULATOR OFF)
find_path(EBB_CUDA_HEADERS cuda_fp16.h
  HINTS $ENV{CUDA_HOME}/include $ENV{CUDA_PATH}/include /usr/local/cuda/include)
if(NOT EBB_TESTS)
  return()
elseif(NOT EBB_CUDA_HEADERS)
  message(STATUS "kernel emulator: not built (no CUDA headers found)")
  return()
elseif(EBB_SANITIZE)
  message(STATUS "kernel emulator: not built (its checker and the sanitizers exclude each other)")
  return()
elseif(NOT CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  message(STATUS "kernel emulator: not built (its checker knows GCC's instrumentation)")
  return()
endif()
set(EBB_WITH_EMULATOR ON)

add_library(ebb_emulated INTERFACE)
target_link_libraries(ebb_emulated INTERFACE ebb_simt)
target_include_directories(ebb_emulated SYSTEM INTERFACE ${EBB_CUDA_HEADERS})

function(ebb_emulate)
  # -g1: lines for the checker's reports. Kernels view memory as other types (float4), and joining
  # neighboring accesses would hide their sizes and alignment from the checker. FMA contraction
  # would make results depend on the host.
  set(options -g1 -fno-strict-aliasing -fno-tree-vectorize -fno-tree-slp-vectorize
    -fno-store-merging -ffp-contract=off -Wno-unused-function
    -fsanitize=thread --param=tsan-instrument-func-entry-exit=0
    -fsanitize=alignment,signed-integer-overflow
    -fno-sanitize-recover=alignment,signed-integer-overflow)
  set_source_files_properties(${ARGN} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "${options}"
    SKIP_PRECOMPILE_HEADERS ON)
endfunction()
