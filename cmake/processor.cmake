# What the processor asks of all targets, and of whatever includes Highway:
#   target_link_libraries(x PRIVATE ebb_simd)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  # Text is handled as x86 has it, where char is signed.
  target_compile_options(ebb_flags INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fsigned-char>)
endif()

add_library(ebb_simd INTERFACE)
target_link_libraries(ebb_simd INTERFACE PkgConfig::HWY)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64|ARM64)$")
  # NEON alone: register tiles are arrays of vectors, which SVE's types without a size cannot be. Highway's NEON counts
  # the AES instructions in, and its functions are inlined only where the compiler may use them.
  target_compile_definitions(ebb_simd INTERFACE
    "HWY_DISABLED_TARGETS=(HWY_SVE|HWY_SVE2|HWY_SVE_256|HWY_SVE2_128)")
  target_compile_options(ebb_simd INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-march=armv8-a+crypto>)
else()
  # AVX-512, AVX2 and a scalar fallback are compiled; the SSE levels between would cost build time.
  target_compile_definitions(ebb_simd INTERFACE "HWY_DISABLED_TARGETS=(HWY_SSSE3|HWY_SSE4)")
endif()
