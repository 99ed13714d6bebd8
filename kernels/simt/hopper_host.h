#pragma once

// mbarriers, the tensor memory accelerator and wgmma on the host; see hopper_device.h for what the
// functions mean.

#include "kernels/simt/host.h"
#include "kernels/simt/hopper_emulator.h"
#include "kernels/simt/matrix_descriptor.h"

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

using TensorMap = emulator::TensorMap;

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
