# The CUDA toolkit, if it is to be used: sets EBB_WITH_CUDA and enables the language.
#
# EBB_CUDA  AUTO     use nvcc when it is found and new enough
#           VISIBLE  like AUTO, but only where a GPU is visible, and compile for that GPU alone
#           ON, OFF  insist, refuse
set(EBB_CUDA AUTO CACHE STRING "Build the CUDA backend: AUTO, VISIBLE, ON or OFF")
set_property(CACHE EBB_CUDA PROPERTY STRINGS AUTO VISIBLE ON OFF)
set(EBB_CUDA_MINIMUM 12.8)  # the first that knows sm_120

# Sets `out` to the compute capabilities of the visible GPUs, e.g. "90;120", empty without any.
function(ebb_visible_gpus out)
  set(${out} "" PARENT_SCOPE)
  find_program(EBB_NVIDIA_SMI nvidia-smi)
  if(NOT EBB_NVIDIA_SMI)
    return()
  endif()
  execute_process(COMMAND ${EBB_NVIDIA_SMI} --query-gpu=compute_cap --format=csv,noheader
    OUTPUT_VARIABLE listed RESULT_VARIABLE failed ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(failed)
    return()
  endif()
  string(REGEX MATCHALL "[0-9]+\\.[0-9]+" capabilities "${listed}")
  list(TRANSFORM capabilities REPLACE "\\." "")
  list(REMOVE_DUPLICATES capabilities)
  set(${out} "${capabilities}" PARENT_SCOPE)
endfunction()

# Sets `out` to why there is no usable nvcc, empty when there is one (then also EBB_NVCC).
function(ebb_why_no_nvcc out)
  find_program(EBB_NVCC nvcc HINTS $ENV{CUDACXX} $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin
    /usr/local/cuda/bin)
  if(NOT EBB_NVCC)
    set(${out} "no nvcc found" PARENT_SCOPE)
    return()
  endif()
  execute_process(COMMAND ${EBB_NVCC} --version OUTPUT_VARIABLE text RESULT_VARIABLE failed)
  string(REGEX MATCH "release ([0-9]+\\.[0-9]+)" found "${text}")
  set(version "${CMAKE_MATCH_1}")
  if(failed OR NOT version)
    set(${out} "${EBB_NVCC} does not run" PARENT_SCOPE)
  elseif(version VERSION_LESS EBB_CUDA_MINIMUM)
    set(${out} "${EBB_NVCC} is of CUDA ${version}, at least ${EBB_CUDA_MINIMUM} is needed" PARENT_SCOPE)
  else()
    set(${out} "" PARENT_SCOPE)
  endif()
endfunction()

set(EBB_WITH_CUDA OFF)
set(why "")
if(EBB_CUDA STREQUAL "OFF")
  set(why "EBB_CUDA is OFF")
elseif(EBB_CUDA STREQUAL "VISIBLE")
  ebb_visible_gpus(gpus)
  if(NOT gpus)
    set(why "no GPU is visible")
  endif()
endif()
if(NOT why)
  ebb_why_no_nvcc(why)
endif()
if(why AND EBB_CUDA STREQUAL "ON")
  message(FATAL_ERROR "EBB_CUDA is ON, but ${why}. Install CUDA ${EBB_CUDA_MINIMUM} or newer, "
    "name its nvcc with -DEBB_NVCC=, or use -DEBB_CUDA=OFF")
elseif(why)
  message(STATUS "CUDA backend: not built (${why})")
else()
  # 90a: wgmma exists only there. 80 and 120 also carry PTX: of 12.0 for what comes after it, of 8.0 for
  # all between that have no code of their own, compute capability 10.x and 11.x among them.
  set(architectures 80 90a-real 120)
  if(EBB_CUDA STREQUAL "VISIBLE")
    string(REGEX REPLACE "([0-9]+)" "\\1-real" architectures "${gpus}")
    string(REPLACE "90-real" "90a-real" architectures "${architectures}")
  endif()
  set(CMAKE_CUDA_ARCHITECTURES "${architectures}" CACHE STRING "GPUs to compile for")
  set(CMAKE_CUDA_COMPILER "${EBB_NVCC}")
  if(EBB_CCACHE)
    set(CMAKE_CUDA_COMPILER_LAUNCHER ${EBB_CCACHE})
  endif()
  enable_language(CUDA)
  # CMake 3.25 does not know that nvcc speaks C++20.
  set(CMAKE_CUDA_STANDARD 20)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
  find_package(CUDAToolkit REQUIRED)
  set(EBB_WITH_CUDA ON)
  message(STATUS "CUDA backend: CUDA ${CMAKE_CUDA_COMPILER_VERSION} for ${CMAKE_CUDA_ARCHITECTURES}")
endif()
