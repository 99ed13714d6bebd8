#pragma once

#include <cstdint>

#include "kernels/simt/emulator.h"

// The part of emulator.h that only kernels for sm_90a use.
namespace ebb::simt::emulator {

// The fields that cuTensorMapEncodeTiled and cuTensorMapEncodeIm2col put into their opaque 128
// bytes. Dimension 0 is the innermost; strides[i] is the distance in bytes along dimension i + 1.
struct TensorMap {
  const void* base = nullptr;
  int element_bytes = 0, rank = 0;
  uint64_t sizes[5] = {};
  uint64_t strides[4] = {};
  uint32_t box[5] = {};                  // tiled: elements per dimension
  uint32_t element_strides[5] = {};      // step between elements of the box
  bool im2col = false;                   // rank 4: {C, W, H, N}
  int32_t lower[2] = {}, upper[2] = {};  // im2col: corners of the bounding box, {W, H}
  uint32_t channels = 0, pixels = 0;     // im2col: per copy
  bool swizzle_128 = false;
};

// Throws DeviceError where the driver would refuse to encode the map.
void check_map(const TensorMap& map);

void mbarrier_init(uint64_t* barrier, uint32_t arrivals, Site site);
void mbarrier_arrive(uint64_t* barrier, uint32_t expected_bytes, Site site);
void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site);

// offset: null for a tiled map, {w, h} for an im2col map
void tma_load(void* dst, const TensorMap* map, uint64_t* barrier, int rank, const int32_t* at,
              const uint16_t* offset, Site site);

// d (64 x n) = a (64 x k) * b (n x k), plus d if accumulate; k = 16, or 8 for tf32. Descriptors as
// in matrix_descriptor.h; mn_major: both operands are stored with k outermost.
void wgmma(Format format, int n, bool mn_major, float* d, uint64_t a, uint64_t b, bool accumulate,
           Site site);
void wgmma_fence(Site site);
void wgmma_commit(Site site);
void wgmma_wait(int pending, Site site);

}  // namespace ebb::simt::emulator
