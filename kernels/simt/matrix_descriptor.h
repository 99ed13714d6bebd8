#pragma once

#include <cstdint>

#include "kernels/simt/host_device.h"

// Shared-memory matrix descriptors of wgmma (PTX ISA, "Matrix Descriptor Format"), for tiles whose
// rows of 128 bytes are swizzled: the 16-byte chunk c of row r lies at chunk c ^ (r % 8). Tiles
// start at multiples of 1024 bytes.
namespace ebb::simt {

// Byte offset in such a tile -> where the byte lies.
EBB_HOST_DEVICE constexpr uint32_t swizzle_128(uint32_t offset) {
  return offset ^ (offset >> 7 & 7) << 4;
}

// `address`: shared_address() of the operand's first element. group_bytes: from one group of eight
// rows to the next. block_bytes: from one 128-byte wide block of columns to the next, for MN-major
// operands (ignored for K-major ones, whose k16 or k8 slice lies within 128 bytes).
EBB_HOST_DEVICE constexpr uint64_t matrix_descriptor(uint32_t address, uint32_t group_bytes = 1024,
                                                     uint32_t block_bytes = 16) {
  constexpr uint64_t kSwizzle128 = uint64_t{1} << 62;
  return uint64_t{(address & 0x3ffffu) >> 4} | uint64_t{block_bytes >> 4} << 16 |
         uint64_t{group_bytes >> 4} << 32 | kSwizzle128;
}

}  // namespace ebb::simt
