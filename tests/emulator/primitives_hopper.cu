#include "kernels/simt/simt.h"
#include "tests/emulator/primitives.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

using simt::launch;
using simt::emulator::Format;

enum class Load { kTile2d, kTile4d, kIm2col };

struct Place {
  int c, w, h, n;
  uint16_t offset_w, offset_h;
};

template <Load kLoad>
__global__ void load_kernel(const __grid_constant__ simt::TensorMap map, Place at, uint16_t* y,
                            int count) {
  SIMT_DYNAMIC_SHARED(uint16_t, box);
  SIMT_SHARED(uint64_t, full, [1]);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    simt::mbarrier_init(full, 1);
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (t == 0) {
    simt::mbarrier_arrive_expect(full, static_cast<uint32_t>(count) * 2);
    if constexpr (kLoad == Load::kTile2d) {
      simt::tma_load_2d(box, &map, full, at.c, at.w);
    } else if constexpr (kLoad == Load::kTile4d) {
      simt::tma_load_4d(box, &map, full, at.c, at.w, at.h, at.n);
    } else {
      simt::tma_load_im2col(box, &map, full, at.c, at.w, at.h, at.n, at.offset_w, at.offset_h);
    }
  }
  simt::mbarrier_wait(full, 0);
  for (int i = t; i < count; i += 64) y[i] = box[i];
}

template <Load kLoad>
void load(const simt::TensorMap& map, const Place& at, uint16_t* y, int count,
          KernelStream stream) {
  launch({.name = "tma_load",
          .grid = dim3(1),
          .block = dim3(64),
          .shared_bytes = count * int64_t{2},
          .stream = stream},
         load_kernel<kLoad>, map, at, y, count);
}

template <Format kFormat, int kN, bool kMnMajor>
__global__ void __launch_bounds__(128)
    product_kernel(WgmmaCase c, const uint32_t* image, int words, float* d) {
  SIMT_DYNAMIC_SHARED(uint32_t, box);
  const int t = static_cast<int>(threadIdx.x);
  for (int i = t; i < words; i += 128) box[i] = image[i];
  simt::fence_async_shared();
  __syncthreads();
  float acc[kN / 2];
  for (int i = 0; i < kN / 2; ++i) acc[i] = 1000.0f;  // the first product does not accumulate
  simt::wgmma_fence();
  const uint32_t base = simt::shared_address(box);
  for (int s = 0; s < c.slices; ++s) {
    const uint32_t step = static_cast<uint32_t>(s);
    const uint64_t a = simt::matrix_descriptor(base + c.a_offset + step * c.a_step, c.group_bytes,
                                               c.a_block_bytes);
    const uint64_t b = simt::matrix_descriptor(base + c.b_offset + step * c.b_step, c.group_bytes,
                                               c.b_block_bytes);
    if constexpr (kFormat == Format::kBf16) {
      simt::wgmma_bf16<kN, kMnMajor>(acc, a, b, s > 0);
    } else if constexpr (kFormat == Format::kF16) {
      simt::wgmma_f16<kN, kMnMajor>(acc, a, b, s > 0);
    } else {
      simt::wgmma_tf32<kN>(acc, a, b, s > 0);
    }
  }
  simt::wgmma_commit();
  simt::wgmma_wait<0>();
  for (int i = 0; i < kN / 2; ++i) {
    const int row = t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8;
    d[row * kN + i / 4 * 8 + t % 4 * 2 + i % 2] = acc[i];
  }
}

template <int kN>
void product(const WgmmaCase& c, const uint32_t* image, int words, float* d, KernelStream stream) {
  const auto kernel = c.format == Format::kTf32 ? product_kernel<Format::kTf32, kN, false>
                      : c.format == Format::kF16
                          ? (c.mn_major ? product_kernel<Format::kF16, kN, true>
                                        : product_kernel<Format::kF16, kN, false>)
                      : c.mn_major ? product_kernel<Format::kBf16, kN, true>
                                   : product_kernel<Format::kBf16, kN, false>;
  launch({.name = "wgmma_product",
          .grid = dim3(1),
          .block = dim3(128),
          .shared_bytes = words * int64_t{4},
          .stream = stream},
         kernel, c, image, words, d);
}

constexpr int kStages = 3, kRow = 64;

struct Ring {
  int32_t row[kStages][kRow];
  uint64_t full[kStages], empty[kStages];
};

__global__ void __launch_bounds__(96)
    ring_kernel(const __grid_constant__ simt::TensorMap map, int rows, int32_t* y) {
  SIMT_DYNAMIC_SHARED(Ring, ring);
  const int t = static_cast<int>(threadIdx.x);
  if (t == 0) {
    for (int i = 0; i < kStages; ++i) {
      simt::mbarrier_init(&ring->full[i], 1);
      simt::mbarrier_init(&ring->empty[i], kRow);
    }
    simt::mbarrier_fence_init();
  }
  __syncthreads();
  if (t >= kRow) {
    for (int i = 0; t == kRow && i < rows; ++i) {
      const int stage = i % kStages;
      // The first round finds empty stages: it waits for the phase before the first.
      simt::mbarrier_wait(&ring->empty[stage], static_cast<uint32_t>(i / kStages + 1) & 1);
      simt::mbarrier_arrive_expect(&ring->full[stage], kRow * 4);
      simt::tma_load_2d(ring->row[stage], &map, &ring->full[stage], 0, i);
    }
    return;
  }
  int32_t sum = 0;
  for (int i = 0; i < rows; ++i) {
    const int stage = i % kStages;
    simt::mbarrier_wait(&ring->full[stage], static_cast<uint32_t>(i / kStages) & 1);
    sum += ring->row[stage][t];
    simt::mbarrier_arrive(&ring->empty[stage]);
  }
  y[t] = sum;
}

}  // namespace

void tma_tile_2d(const simt::TensorMap& map, int c0, int c1, uint16_t* y, int count,
                 KernelStream stream) {
  load<Load::kTile2d>(map, {c0, c1, 0, 0, 0, 0}, y, count, stream);
}
void tma_tile_4d(const simt::TensorMap& map, int c, int w, int h, int n, uint16_t* y, int count,
                 KernelStream stream) {
  load<Load::kTile4d>(map, {c, w, h, n, 0, 0}, y, count, stream);
}
void tma_im2col(const simt::TensorMap& map, int c, int w, int h, int n, uint16_t ow, uint16_t oh,
                uint16_t* y, int count, KernelStream stream) {
  load<Load::kIm2col>(map, {c, w, h, n, ow, oh}, y, count, stream);
}
void wgmma_product(const WgmmaCase& c, const uint32_t* image, int words, float* d,
                   KernelStream stream) {
  switch (c.n) {
    case 64:
      return product<64>(c, image, words, d, stream);
    case 96:
      return product<96>(c, image, words, d, stream);
    case 128:
      return product<128>(c, image, words, d, stream);
    case 192:
      return product<192>(c, image, words, d, stream);
    case 256:
      return product<256>(c, image, words, d, stream);
  }
}
void tma_ring(const simt::TensorMap& map, int rows, int32_t* y, KernelStream stream) {
  launch({.name = "tma_ring",
          .grid = dim3(1),
          .block = dim3(96),
          .shared_bytes = sizeof(Ring),
          .stream = stream},
         ring_kernel, map, rows, y);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
