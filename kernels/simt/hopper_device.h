#pragma once

// The sm_90a half of kernels/simt/device.h: mbarriers, the tensor memory accelerator (TMA), wgmma.

#include <cuda.h>

#include "kernels/simt/device.h"
#include "kernels/simt/matrix_descriptor.h"
#include "kernels/simt/wgmma_statements.h"

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

using TensorMap = CUtensorMap;

// --- mbarrier: a barrier in shared memory that also counts bytes of bulk copies ------------------

// Phases follow each other, each of `arrivals` arrivals and all bytes expected in it. A wait names
// the parity of the phase it waits for: 0, 1, 0, ... of phases 0, 1, 2, ...
SIMT_DEVICE void mbarrier_init(uint64_t* barrier, uint32_t arrivals) {
  asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)),
               "r"(arrivals)
               : "memory");
}
// After mbarrier_init and before a __syncthreads(): shows the barriers to bulk copies.
SIMT_DEVICE void mbarrier_fence_init() {
  asm volatile("fence.mbarrier_init.release.cluster;" ::: "memory");
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}
SIMT_DEVICE void mbarrier_arrive(uint64_t* barrier) {
  asm volatile("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier))
               : "memory");
}
SIMT_DEVICE void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes) {
  asm volatile(
      "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
      "r"(bytes)
      : "memory");
}
SIMT_DEVICE void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
  asm volatile(
      "{\n"
      ".reg .pred done;\n"
      "wait_%=:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra wait_%=;\n"
      "}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}

// --- TMA: one thread copies a box of a tensor into shared memory ---------------------------------

// dst is 128-byte aligned, 1024 with a swizzled map; map is a __grid_constant__ parameter. The copy
// ends with the barrier's phase; elements outside the tensor arrive as zeros and count as bytes.
SIMT_DEVICE void tma_prefetch(const TensorMap* map) {
  asm volatile("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
SIMT_DEVICE void tma_load_2d(void* dst, const TensorMap* map, uint64_t* barrier, int c0, int c1) {
  asm volatile(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1)
      : "memory");
}
SIMT_DEVICE void tma_load_4d(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w,
                             int h, int n) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c), "r"(w), "r"(h), "r"(n)
      : "memory");
}
// Pixels in a run across rows and images, from pixel (w, h, n) on, each read `offset` further.
SIMT_DEVICE void tma_load_im2col(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w,
                                 int h, int n, uint16_t offset_w, uint16_t offset_h) {
  asm volatile(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c), "r"(w), "r"(h), "r"(n), "h"(offset_w),
      "h"(offset_h)
      : "memory");
}
// Between ordinary writes to shared memory and wgmma reading them.
SIMT_DEVICE void fence_async_shared() {
  asm volatile("fence.proxy.async.shared::cta;" ::: "memory");
}

// Registers per thread of the calling warpgroup, a multiple of 8.
template <int kRegisters>
SIMT_DEVICE void take_registers() {
  asm volatile("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
SIMT_DEVICE void give_registers() {
  asm volatile("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// --- wgmma: 128 threads multiply tiles in shared memory ------------------------------------------

// wgmma_fence, products, wgmma_commit, wgmma_wait; accumulators and operands must not be touched in
// between.
SIMT_DEVICE void wgmma_fence() { asm volatile("wgmma.fence.sync.aligned;" ::: "memory"); }
SIMT_DEVICE void wgmma_commit() { asm volatile("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
SIMT_DEVICE void wgmma_wait() {
  asm volatile("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
}

// d (64 x kN, f32) = a (64 x k) * b (kN x k), plus d if accumulate; k is 16, or 8 for tf32. a and b
// are descriptors (matrix_descriptor.h); kMnMajor: both are stored with k outermost. Accumulator i
// of thread t: row t / 32 * 16 + t % 32 / 4 + i / 2 % 2 * 8, column i / 4 * 8 + t % 4 * 2 + i % 2.
// The last flags of the instruction are scales of 1 and, for 16-bit types, the transpositions.
#define EBB_WGMMA_BY_SIZE(k, types, tail)                         \
  if constexpr (kN == 64) {                                       \
    EBB_WGMMA_64(d, a, b, accumulate, "m64n64k" k types, tail);   \
  } else if constexpr (kN == 96) {                                \
    EBB_WGMMA_96(d, a, b, accumulate, "m64n96k" k types, tail);   \
  } else if constexpr (kN == 128) {                               \
    EBB_WGMMA_128(d, a, b, accumulate, "m64n128k" k types, tail); \
  } else if constexpr (kN == 192) {                               \
    EBB_WGMMA_192(d, a, b, accumulate, "m64n192k" k types, tail); \
  } else {                                                        \
    static_assert(kN == 256);                                     \
    EBB_WGMMA_256(d, a, b, accumulate, "m64n256k" k types, tail); \
  }
template <int kN, bool kMnMajor = false>
SIMT_DEVICE void wgmma_bf16(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate) {
  if constexpr (kMnMajor) {
    EBB_WGMMA_BY_SIZE("16", ".f32.bf16.bf16", "1, 1, 1, 1")
  } else {
    EBB_WGMMA_BY_SIZE("16", ".f32.bf16.bf16", "1, 1, 0, 0")
  }
}
template <int kN, bool kMnMajor = false>
SIMT_DEVICE void wgmma_f16(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate) {
  if constexpr (kMnMajor) {
    EBB_WGMMA_BY_SIZE("16", ".f32.f16.f16", "1, 1, 1, 1")
  } else {
    EBB_WGMMA_BY_SIZE("16", ".f32.f16.f16", "1, 1, 0, 0")
  }
}
template <int kN>
SIMT_DEVICE void wgmma_tf32(float (&d)[kN / 2], uint64_t a, uint64_t b, bool accumulate) {
  EBB_WGMMA_BY_SIZE("8", ".f32.tf32.tf32", "1, 1")
}
#undef EBB_WGMMA_BY_SIZE

}  // namespace EBB_GPU_NAMESPACE
}  // namespace ebb::simt
