#pragma once

// The device half of kernels/simt/simt.h: names of PTX instructions and the launch helper.

#include <cuda_runtime.h>

#include <cstdlib>
#include <type_traits>

#include "base/error.h"
#include "kernels/simt/scoped_device.h"
#include "kernels/simt/shared_memory.h"

#if defined(EBB_DEVICE_CHECKS)
#include <cstdio>
#endif

#define SIMT_DEVICE __device__ __forceinline__
#define SIMT_SHARED(type, name, ...) __shared__ type name __VA_ARGS__
#define SIMT_DYNAMIC_SHARED(type, name)                                      \
  extern __shared__ __align__(1024) unsigned char ebb_simt_dynamic_shared[]; \
  ::ebb::simt::require_aligned(ebb_simt_dynamic_shared);                     \
  type* name = reinterpret_cast<type*>(ebb_simt_dynamic_shared)

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

struct LaunchConfig {
  const char* name;  // of the kernel, for messages
  dim3 grid;
  dim3 block;
  int64_t shared_bytes = 0;  // dynamic shared memory
  KernelStream stream;
};

// Queues the kernel; a grid with a zero does nothing. Throws DeviceError.
template <class... Params, class... Args>
void launch(const LaunchConfig& config, void (*kernel)(Params...), Args&&... args) {
  if (config.grid.x == 0 || config.grid.y == 0 || config.grid.z == 0) return;
  const auto check = [&](cudaError_t status) {
    EBB_CHECK(status == cudaSuccess, DeviceError, "kernel ", config.name, ": grid ", config.grid.x,
              "x", config.grid.y, "x", config.grid.z, ", ", config.block.x * config.block.y,
              " threads, ", config.shared_bytes,
              " bytes of shared memory: ", cudaGetErrorString(status),
              ". Run again with --device cpu");
  };
  const ScopedDevice scope(config.stream.device.index);
  check(scope.error());
  if (must_ask_for_shared(config.shared_bytes)) {
    check(cudaFuncSetAttribute(reinterpret_cast<const void*>(kernel),
                               cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(config.shared_bytes)));
  }
  cudaLaunchConfig_t native = {};
  native.gridDim = config.grid;
  native.blockDim = config.block;
  native.dynamicSmemBytes = static_cast<size_t>(config.shared_bytes);
  native.stream = static_cast<cudaStream_t>(config.stream.native);
  check(cudaLaunchKernelEx(&native, kernel, static_cast<Params>(args)...));
  // A kernel that fails does so behind the program's back; here its name is known.
  static const bool kWaitForEach = std::getenv("EBB_SYNC_LAUNCH") != nullptr;
  if (kWaitForEach) check(cudaStreamSynchronize(native.stream));
}

// Offset of a pointer in the block's shared memory, in PTX's form.
SIMT_DEVICE uint32_t shared_address(const void* p) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(p));
}

// EBB_DEVICE_CHECKS (a Debug build) ends the kernel with a report where it would otherwise compute
// something else without a word, or wait forever.

// Dynamic shared memory begins where swizzled tiles may.
SIMT_DEVICE void require_aligned([[maybe_unused]] const void* dynamic_shared) {
#if defined(EBB_DEVICE_CHECKS)
  const uint32_t at = shared_address(dynamic_shared);
  if (at % kDynamicSharedAlignment == 0) return;
  printf(
      "kernel: dynamic shared memory begins at byte %u, expected a multiple of %d. Give all of "
      "it that alignment\n",
      at, static_cast<int>(kDynamicSharedAlignment));
  __trap();
#endif
}

// True in the last block of a launch that calls this with the same counter, and there everything
// that the other blocks wrote before their call is visible. Called by all threads of `blocks`
// blocks; *counter is 0 before and after the launch.
SIMT_DEVICE bool last_block(uint32_t* counter, uint32_t blocks) {
  __shared__ bool last;
  __threadfence();
  __syncthreads();
  if (threadIdx.x == 0 && threadIdx.y == 0 && threadIdx.z == 0) {
    last = atomicAdd(counter, 1u) == blocks - 1;
    if (last) *counter = 0;
  }
  __syncthreads();
  if (last) __threadfence();
  return last;
}

// bar.sync / bar.arrive: a barrier of `threads` threads (a multiple of 32); id 1..15.
SIMT_DEVICE void named_barrier_sync(int id, int threads) {
  asm volatile("bar.sync %0, %1;" ::"r"(id), "r"(threads) : "memory");
}
SIMT_DEVICE void named_barrier_arrive(int id, int threads) {
  asm volatile("bar.arrive %0, %1;" ::"r"(id), "r"(threads) : "memory");
}

// Asynchronous copy of kBytes (4, 8 or 16) from global to shared memory, both aligned to it; zeros
// where !valid (src is not read but must be a pointer). Visible to this thread after
// cp_async_wait, to others after a barrier behind that.
template <int kBytes = 16>
SIMT_DEVICE void cp_async(void* dst, const void* src, bool valid = true) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  const int read = valid ? kBytes : 0;
  if constexpr (kBytes == 16) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(dst)),
                 "l"(src), "r"(read)
                 : "memory");
  } else {
    asm volatile("cp.async.ca.shared.global [%0], [%1], %3, %2;" ::"r"(shared_address(dst)),
                 "l"(src), "r"(read), "n"(kBytes)
                 : "memory");
  }
}
SIMT_DEVICE void cp_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
// Waits until at most kPending of this thread's committed groups are in flight.
template <int kPending>
SIMT_DEVICE void cp_async_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

// Four 8x8 matrices of 16-bit elements; lane i passes row i % 8 of matrix i / 8 (16 bytes, 16-byte
// aligned). r[m] of lane i holds elements (i / 4, 2 * (i % 4)) and the next of matrix m.
SIMT_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}
// The same with every matrix transposed.
SIMT_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
               : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
               : "r"(shared_address(row))
               : "memory");
}

// d (16x8, f32) += a (16x16, row) * b (16x8, column). With g = lane / 4, t = lane % 4 and two
// 16-bit elements per register:
//   a[0] (g, 2t)  a[1] (g + 8, 2t)  a[2] (g, 2t + 8)  a[3] (g + 8, 2t + 8)
//   b[0] (2t, g)  b[1] (2t + 8, g)     d[0], d[1] (g, 2t)  d[2], d[3] (g + 8, 2t)
SIMT_DEVICE void mma_m16n8k16_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
SIMT_DEVICE void mma_m16n8k16_f16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// d (16x8, f32) += a (16x8, row) * b (8x8, column) of tf32 numbers (to_tf32):
//   a[0] (g, t)  a[1] (g + 8, t)  a[2] (g, t + 4)  a[3] (g + 8, t + 4)   b[0] (t, g)  b[1] (t + 4,
//   g)
SIMT_DEVICE void mma_m16n8k8_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
  asm volatile(
      "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
      "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
      : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
      : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}
// Rounds to 10 mantissa bits, to nearest, ties away from zero.
SIMT_DEVICE uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

}  // namespace EBB_GPU_NAMESPACE
}  // namespace ebb::simt
