#pragma once

// The sm_90a half of kernels/simt/device.h: mbarriers, the tensor memory accelerator (TMA), wgmma.
// Kernels that use it are compiled for every architecture and stop at once on any other.

#include <cuda.h>

#include "kernels/simt/device.h"
#include "kernels/simt/matrix_descriptor.h"
#include "kernels/simt/tensor_map.h"
#include "kernels/simt/wgmma_statements.h"

#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
#define EBB_SM90A(...) asm volatile(__VA_ARGS__)
#else
#define EBB_SM90A(...) __trap()
#endif

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

using TensorMap = CUtensorMap;

namespace detail {

// A function of the driver, which is not linked.
template <class Function>
Function* driver_function(const char* name) {
  constexpr unsigned kSince = 12000;
  void* found = nullptr;
  cudaDriverEntryPointQueryResult result = cudaDriverEntryPointSymbolNotFound;
  const cudaError_t status =
      cudaGetDriverEntryPointByVersion(name, &found, kSince, cudaEnableDefault, &result);
  EBB_CHECK(status == cudaSuccess && result == cudaDriverEntryPointSuccess, DeviceError,
            "CUDA driver: has no ", name, ". Update the driver");
  return reinterpret_cast<Function*>(found);
}

inline CUtensorMapDataType data_type(MapElement element) {
  return element == MapElement::kBf16 ? CU_TENSOR_MAP_DATA_TYPE_BFLOAT16
                                      : CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
}

inline void check_encoded(CUresult result) {
  EBB_CHECK(result == CUDA_SUCCESS, DeviceError, "tensor map: the driver refuses it, error ",
            static_cast<int>(result), ". Run again with --device cpu");
}

}  // namespace detail

// rows of `columns` elements, `pitch` apart; a copy takes box_rows x box_columns.
inline TensorMap tensor_map_2d(const void* base, MapElement element, int64_t columns, int64_t rows,
                               int64_t pitch, int box_columns, int box_rows) {
  static auto* const encode =
      detail::driver_function<decltype(cuTensorMapEncodeTiled)>("cuTensorMapEncodeTiled");
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(columns), static_cast<cuuint64_t>(rows)};
  const cuuint64_t strides[] = {static_cast<cuuint64_t>(pitch) * 2};
  const cuuint32_t box[] = {static_cast<cuuint32_t>(box_columns),
                            static_cast<cuuint32_t>(box_rows)};
  const cuuint32_t steps[] = {1, 1};
  TensorMap map;
  detail::check_encoded(encode(&map, detail::data_type(element), 2, const_cast<void*>(base), sizes,
                               strides, box, steps, CU_TENSOR_MAP_INTERLEAVE_NONE,
                               CU_TENSOR_MAP_SWIZZLE_128B, CU_TENSOR_MAP_L2_PROMOTION_L2_256B,
                               CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  return map;
}

inline TensorMap tensor_map_im2col(const void* base, MapElement element, const Im2colShape& s) {
  static auto* const encode =
      detail::driver_function<decltype(cuTensorMapEncodeIm2col)>("cuTensorMapEncodeIm2col");
  const auto bytes = [](int64_t elements) { return static_cast<cuuint64_t>(elements) * 2; };
  const cuuint64_t sizes[] = {static_cast<cuuint64_t>(s.c), static_cast<cuuint64_t>(s.w),
                              static_cast<cuuint64_t>(s.h), static_cast<cuuint64_t>(s.n)};
  const cuuint64_t strides[] = {bytes(s.pitch), bytes(s.w * s.pitch), bytes(s.h * s.w * s.pitch)};
  const int lower[] = {s.lower_w, s.lower_h}, upper[] = {s.upper_w, s.upper_h};
  const cuuint32_t steps[] = {1, static_cast<cuuint32_t>(s.step_w),
                              static_cast<cuuint32_t>(s.step_h), 1};
  TensorMap map;
  detail::check_encoded(
      encode(&map, detail::data_type(element), 4, const_cast<void*>(base), sizes, strides, lower,
             upper, static_cast<cuuint32_t>(s.channels), static_cast<cuuint32_t>(s.pixels), steps,
             CU_TENSOR_MAP_INTERLEAVE_NONE, CU_TENSOR_MAP_SWIZZLE_128B,
             CU_TENSOR_MAP_L2_PROMOTION_L2_256B, CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE));
  // Drivers up to 13.1 set a wrong bit in im2col maps of tensors below 128 KiB (CUTLASS,
  // copy_traits_sm90_im2col.hpp).
  constexpr int kLastWrongDriver = 13010;
  constexpr cuuint64_t kSmall = 131072;
  int driver = 0;
  if (cudaDriverGetVersion(&driver) == cudaSuccess && driver <= kLastWrongDriver &&
      strides[2] * sizes[3] < kSmall) {
    map.opaque[1] &= ~(cuuint64_t{1} << 21);
  }
  return map;
}

// --- mbarrier: a barrier in shared memory that also counts bytes of bulk copies ------------------

// Phases follow each other, each of `arrivals` arrivals and all bytes expected in it. A wait names
// the parity of the phase it waits for: 0, 1, 0, ... of phases 0, 1, 2, ...
SIMT_DEVICE void mbarrier_init(uint64_t* barrier, uint32_t arrivals) {
  EBB_SM90A("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(barrier)), "r"(arrivals)
            : "memory");
}
// After mbarrier_init and before a __syncthreads(): shows the barriers to bulk copies.
SIMT_DEVICE void mbarrier_fence_init() {
  EBB_SM90A("fence.mbarrier_init.release.cluster;" ::: "memory");
  EBB_SM90A("fence.proxy.async.shared::cta;" ::: "memory");
}
SIMT_DEVICE void mbarrier_arrive(uint64_t* barrier) {
  EBB_SM90A("mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(barrier)) : "memory");
}
SIMT_DEVICE void mbarrier_arrive_expect(uint64_t* barrier, uint32_t bytes) {
  EBB_SM90A("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(barrier)),
            "r"(bytes)
            : "memory");
}
#if defined(EBB_DEVICE_CHECKS)
// An arrival that never comes would hang the GPU until the process is killed. The thread tells the
// role of who waits, the address the stage.
SIMT_DEVICE void mbarrier_wait(uint64_t* barrier, uint32_t parity,
                               const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  constexpr uint64_t kLimitNs = 20'000'000'000;
  const uint32_t at = shared_address(barrier);
  uint64_t start = 0;
  for (;;) {
    uint32_t is_over = 0;
    uint64_t now = 0;
    EBB_SM90A(
        "{\n"
        ".reg .pred done;\n"
        "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
        "selp.u32 %0, 1, 0, done;\n"
        "}"
        : "=r"(is_over)
        : "r"(at), "r"(parity)
        : "memory");
    if (is_over != 0) return;
    asm volatile("mov.u64 %0, %globaltimer;" : "=l"(now));
    if (start == 0) start = now;
    if (now - start > kLimitNs) break;
  }
  printf(
      "%s:%d: block (%u, %u, %u), thread %u waits for the mbarrier at shared byte %u, parity %u: "
      "no end after %d s. Find the arrival or the bytes that are missing\n",
      file, line, blockIdx.x, blockIdx.y, blockIdx.z, threadIdx.x, at, parity,
      static_cast<int>(kLimitNs / 1'000'000'000));
  __trap();
}
#else
SIMT_DEVICE void mbarrier_wait(uint64_t* barrier, uint32_t parity) {
  EBB_SM90A(
      "{\n"
      ".reg .pred done;\n"
      "wait_%=:\n"
      "mbarrier.try_wait.parity.shared::cta.b64 done, [%0], %1;\n"
      "@!done bra wait_%=;\n"
      "}" ::"r"(shared_address(barrier)),
      "r"(parity)
      : "memory");
}
#endif

// --- TMA: one thread copies a box of a tensor into shared memory ---------------------------------

// dst is 128-byte aligned, 1024 with a swizzled map; map is a __grid_constant__ parameter. The copy
// ends with the barrier's phase; elements outside the tensor arrive as zeros and count as bytes.
SIMT_DEVICE void tma_prefetch(const TensorMap* map) {
  EBB_SM90A("prefetch.tensormap [%0];" ::"l"(map) : "memory");
}
SIMT_DEVICE void tma_load_2d(void* dst, const TensorMap* map, uint64_t* barrier, int c0, int c1) {
  EBB_SM90A(
      "cp.async.bulk.tensor.2d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4}], [%2];" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c0), "r"(c1)
      : "memory");
}
SIMT_DEVICE void tma_load_4d(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w,
                             int h, int n) {
  EBB_SM90A(
      "cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2];" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c), "r"(w), "r"(h), "r"(n)
      : "memory");
}
// Pixels in a run across rows and images, from pixel (w, h, n) on, each read `offset` further.
SIMT_DEVICE void tma_load_im2col(void* dst, const TensorMap* map, uint64_t* barrier, int c, int w,
                                 int h, int n, uint16_t offset_w, uint16_t offset_h) {
  EBB_SM90A(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes "
      "[%0], [%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(dst)),
      "l"(map), "r"(shared_address(barrier)), "r"(c), "r"(w), "r"(h), "r"(n), "h"(offset_w),
      "h"(offset_h)
      : "memory");
}
// Between ordinary writes to shared memory and wgmma reading them.
SIMT_DEVICE void fence_async_shared() { EBB_SM90A("fence.proxy.async.shared::cta;" ::: "memory"); }

// Registers per thread of the calling warpgroup, a multiple of 8.
template <int kRegisters>
SIMT_DEVICE void take_registers() {
  EBB_SM90A("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(kRegisters));
}
template <int kRegisters>
SIMT_DEVICE void give_registers() {
  EBB_SM90A("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(kRegisters));
}

// --- wgmma: 128 threads multiply tiles in shared memory ------------------------------------------

// wgmma_fence, products, wgmma_commit, wgmma_wait; accumulators and operands must not be touched in
// between.
SIMT_DEVICE void wgmma_fence() { EBB_SM90A("wgmma.fence.sync.aligned;" ::: "memory"); }
SIMT_DEVICE void wgmma_commit() { EBB_SM90A("wgmma.commit_group.sync.aligned;" ::: "memory"); }
template <int kPending>
SIMT_DEVICE void wgmma_wait() {
  EBB_SM90A("wgmma.wait_group.sync.aligned %0;" ::"n"(kPending) : "memory");
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
