#pragma once

// mbarriers, the tensor memory accelerator and wgmma on the host; see hopper_device.h for what the
// functions mean.

#include "kernels/simt/hopper_emulator.h"
#include "kernels/simt/host.h"
#include "kernels/simt/matrix_descriptor.h"
#include "kernels/simt/tensor_map.h"

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

using TensorMap = emulator::TensorMap;

// rows of `columns` elements, `pitch` apart; a copy takes box_rows x box_columns.
inline TensorMap tensor_map_2d(const void* base, MapElement, int64_t columns, int64_t rows,
                               int64_t pitch, int box_columns, int box_rows) {
  TensorMap map;
  map.base = base;
  map.element_bytes = 2;
  map.rank = 2;
  map.sizes[0] = static_cast<uint64_t>(columns);
  map.sizes[1] = static_cast<uint64_t>(rows);
  map.strides[0] = static_cast<uint64_t>(pitch) * 2;
  map.box[0] = static_cast<uint32_t>(box_columns);
  map.box[1] = static_cast<uint32_t>(box_rows);
  map.element_strides[0] = map.element_strides[1] = 1;
  map.swizzle_128 = true;
  emulator::check_map(map);
  return map;
}

inline TensorMap tensor_map_im2col(const void* base, MapElement, const Im2colShape& s) {
  TensorMap map;
  map.base = base;
  map.element_bytes = 2;
  map.rank = 4;
  const int64_t sizes[] = {s.c, s.w, s.h, s.n};
  const int64_t strides[] = {s.pitch * 2, s.w * s.pitch * 2, s.h * s.w * s.pitch * 2};
  for (int i = 0; i < 4; ++i) map.sizes[i] = static_cast<uint64_t>(sizes[i]);
  for (int i = 0; i < 3; ++i) map.strides[i] = static_cast<uint64_t>(strides[i]);
  map.im2col = true;
  map.lower[0] = s.lower_w;
  map.lower[1] = s.lower_h;
  map.upper[0] = s.upper_w;
  map.upper[1] = s.upper_h;
  map.element_strides[0] = map.element_strides[3] = 1;
  map.element_strides[1] = static_cast<uint32_t>(s.step_w);
  map.element_strides[2] = static_cast<uint32_t>(s.step_h);
  map.channels = static_cast<uint32_t>(s.channels);
  map.pixels = static_cast<uint32_t>(s.pixels);
  map.swizzle_128 = true;
  emulator::check_map(map);
  return map;
}

inline void mbarrier_init(uint64_t* barrier, uint32_t arrivals, Site site = Site::current()) {
  emulator::mbarrier_init(barrier, arrivals, site);
}
inline void mbarrier_fence_init() {}
inline void mbarrier_arrive(uint64_t* barrier, Site site = Site::current()) {
  emulator::mbarrier_arrive(barrier, 0, site);
}
inline void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes, Site site = Site::current()) {
  emulator::mbarrier_arrive(barrier, bytes, site);
}
inline void mbarrier_wait(uint64_t* barrier, uint32_t parity, Site site = Site::current()) {
  emulator::mbarrier_wait(barrier, parity, site);
}

inline void tma_prefetch(const TensorMap*) {}
inline void tma_load_2d(void* dst, const TensorMap* map, uint64_t* barrier, int c0, int c1,
                        Site site = Site::current()) {
  const int32_t at[] = {c0, c1};
  emulator::tma_load(dst, map, barrier, 2, at, nullptr, site);
}
inline void tma_load_4d(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w, int h,
                        int n, Site site = Site::current()) {
  const int32_t at[] = {c, w, h, n};
  emulator::tma_load(dst, map, barrier, 4, at, nullptr, site);
}
inline void tma_load_im2col(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w, int h,
                            int n, uint16_t offset_w, uint16_t offset_h,
                            Site site = Site::current()) {
  const int32_t at[] = {c, w, h, n};
  const uint16_t offset[] = {offset_w, offset_h};
  emulator::tma_load(dst, map, barrier, 4, at, offset, site);
}
inline void fence_async_shared() {}

template <int kRegisters>
void take_registers() {}
template <int kRegisters>
void give_registers() {}

inline void wgmma_fence(Site site = Site::current()) { emulator::wgmma_fence(site); }
inline void wgmma_commit(Site site = Site::current()) { emulator::wgmma_commit(site); }
template <int kPending>
void wgmma_wait(Site site = Site::current()) {
  emulator::wgmma_wait(kPending, site);
}

template <int kN, bool kMnMajor = false>
void wgmma_bf16(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate,
                Site site = Site::current()) {
  emulator::wgmma(emulator::Format::kBf16, kN, kMnMajor, d, a, b, accumulate, site);
}
template <int kN, bool kMnMajor = false>
void wgmma_f16(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate,
               Site site = Site::current()) {
  emulator::wgmma(emulator::Format::kF16, kN, kMnMajor, d, a, b, accumulate, site);
}
template <int kN>
void wgmma_tf32(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate,
                Site site = Site::current()) {
  emulator::wgmma(emulator::Format::kTf32, kN, false, d, a, b, accumulate, site);
}

}  // namespace EBB_GPU_NAMESPACE
}  // namespace ebb::simt
