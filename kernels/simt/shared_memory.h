#pragma once

#include <cstdint>

// Limits of a block's shared memory and the start of its dynamic part; the same for the GPU and for
// the emulator, which refuses what a GPU would.
namespace ebb::simt {

// Static and dynamic together, unless the launch asks for more (CUDA C++ Programming Guide,
// "Technical Specifications per Compute Capability").
inline constexpr int64_t kSharedWithoutAsking = 48 << 10;

// Bytes of SIMT_SHARED variables that a kernel with dynamic shared memory may have. A launch
// doesn't see them (a helper such as last_block() brings its own), so it asks as if all of this
// were taken; the emulator and the compile checks hold kernels to it.
inline constexpr int64_t kMaxStaticBesideDynamic = 16 << 10;

// Whether a launch has to ask for this much dynamic shared memory.
constexpr bool must_ask_for_shared(int64_t dynamic_bytes) {
  return dynamic_bytes + kMaxStaticBesideDynamic > kSharedWithoutAsking;
}

// Start of the dynamic part. The 128-byte swizzle of TMA and wgmma is a function of the address, so
// tiles that begin elsewhere come out in another order, without an error.
inline constexpr int64_t kDynamicSharedAlignment = 1024;

// Bytes that a block takes: the dynamic part begins after the static one.
constexpr int64_t shared_bytes_of_block(int64_t static_bytes, int64_t dynamic_bytes) {
  if (dynamic_bytes == 0) return static_bytes;
  return (static_bytes + kDynamicSharedAlignment - 1) / kDynamicSharedAlignment *
             kDynamicSharedAlignment +
         dynamic_bytes;
}

}  // namespace ebb::simt
