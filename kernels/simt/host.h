#pragma once

// The host half of kernels/simt/simt.h: the names of CUDA and of device.h in terms of the emulator.

#include <driver_types.h>
#include <vector_functions.h>
#include <vector_types.h>

#include <bit>
#include <cmath>
#include <tuple>
#include <type_traits>

#include "kernels/simt/emulator.h"
#include "kernels/simt/shared_memory.h"

#undef __global__
#undef __device__
#undef __host__
#undef __shared__
#undef __constant__
#undef __forceinline__
#undef __noinline__
#undef __launch_bounds__
#undef __grid_constant__
#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
// Raw __shared__ arrays would escape the checker.
#define __shared__ _Pragma("GCC error \"use SIMT_SHARED or SIMT_DYNAMIC_SHARED\"")

#define SIMT_DEVICE inline
#define SIMT_SHARED(type, name, ...)                            \
  using name##_simt_type = type __VA_ARGS__;                    \
  static ::ebb::simt::emulator::StaticShared name##_simt_place; \
  name##_simt_type& name = *static_cast<name##_simt_type*>(     \
      name##_simt_place.get(#name, sizeof(name##_simt_type), alignof(name##_simt_type)))
#define SIMT_DYNAMIC_SHARED(type, name) \
  type* name = static_cast<type*>(::ebb::simt::emulator::dynamic_shared())

// Code of the emulator in this header is not kernel code, so the checker does not look at it.
#define SIMT_UNCHECKED __attribute__((no_sanitize("thread")))

namespace ebb::emu {

using Site = simt::emulator::Site;

// Constant as long as a thread runs, so that compilers may keep them; the emulator sets them
// whenever it runs another thread.
extern const uint3 threadIdx, blockIdx;
extern const dim3 blockDim, gridDim;
inline constexpr int warpSize = 32;

inline void __syncthreads(Site site = Site::current()) { simt::emulator::block_barrier(0, site); }
inline int __syncthreads_count(int p, Site site = Site::current()) {
  return simt::emulator::block_barrier(p != 0, site);
}
inline int __syncthreads_or(int p, Site site = Site::current()) {
  return simt::emulator::block_barrier(p != 0, site) > 0;
}
inline int __syncthreads_and(int p, Site site = Site::current()) {
  return simt::emulator::block_barrier(p == 0, site) == 0;
}
inline void __syncwarp(uint32_t mask = 0xffffffffu, Site site = Site::current()) {
  simt::emulator::sync_warp(mask, site);
}

#define EBB_SIMT_SHUFFLE(name, kind, operand_type)                                           \
  template <class T>                                                                         \
  T name(uint32_t mask, T value, operand_type operand, int width = 32,                       \
         Site site = Site::current()) {                                                      \
    T result;                                                                                \
    simt::emulator::shuffle(simt::emulator::Shuffle::kind, mask, &value, &result, sizeof(T), \
                            static_cast<int>(operand), width, site);                         \
    return result;                                                                           \
  }
EBB_SIMT_SHUFFLE(__shfl_sync, kIndex, int)
EBB_SIMT_SHUFFLE(__shfl_xor_sync, kXor, int)
EBB_SIMT_SHUFFLE(__shfl_up_sync, kUp, unsigned)
EBB_SIMT_SHUFFLE(__shfl_down_sync, kDown, unsigned)
#undef EBB_SIMT_SHUFFLE

inline uint32_t __ballot_sync(uint32_t mask, int p, Site site = Site::current()) {
  return simt::emulator::ballot(mask, p != 0, site);
}
inline int __any_sync(uint32_t mask, int p, Site site = Site::current()) {
  return simt::emulator::ballot(mask, p != 0, site) != 0;
}
inline int __all_sync(uint32_t mask, int p, Site site = Site::current()) {
  return simt::emulator::ballot(mask, p != 0, site) == mask;
}
template <class T>
uint32_t __match_any_sync(uint32_t mask, T value, Site site = Site::current()) {
  return simt::emulator::match_any(mask, static_cast<uint64_t>(value), site);
}

#define EBB_SIMT_REDUCE(name, kind)                                                  \
  template <class T>                                                                 \
  T name(uint32_t mask, T value, Site site = Site::current()) {                      \
    static_assert(std::is_integral_v<T> && sizeof(T) == 4);                          \
    return static_cast<T>(simt::emulator::reduce(simt::emulator::Reduce::kind, mask, \
                                                 static_cast<uint32_t>(value),       \
                                                 std::is_signed_v<T>, site));        \
  }
EBB_SIMT_REDUCE(__reduce_add_sync, kAdd)
EBB_SIMT_REDUCE(__reduce_min_sync, kMin)
EBB_SIMT_REDUCE(__reduce_max_sync, kMax)
EBB_SIMT_REDUCE(__reduce_and_sync, kAnd)
EBB_SIMT_REDUCE(__reduce_or_sync, kOr)
EBB_SIMT_REDUCE(__reduce_xor_sync, kXor)
#undef EBB_SIMT_REDUCE

inline uint32_t __activemask() { return simt::emulator::active_mask(); }
inline void __nanosleep(unsigned) { simt::emulator::yield(); }
inline void __threadfence() {}
inline void __threadfence_block() {}

// Integers only: the order of float atomics would show in the results.
#define EBB_SIMT_ATOMIC(name, expression)                                                   \
  template <class T>                                                                        \
  SIMT_UNCHECKED T name(T* p, std::type_identity_t<T> value, Site site = Site::current()) { \
    static_assert(std::is_integral_v<T>);                                                   \
    T old;                                                                                  \
    simt::emulator::atomic_read(p, &old, sizeof(T), site);                                  \
    const T now = static_cast<T>(expression);                                               \
    simt::emulator::atomic_write(p, &now, sizeof(T));                                       \
    return old;                                                                             \
  }
EBB_SIMT_ATOMIC(atomicAdd, old + value)
EBB_SIMT_ATOMIC(atomicSub, old - value)
EBB_SIMT_ATOMIC(atomicMax, old > value ? old : value)
EBB_SIMT_ATOMIC(atomicMin, old < value ? old : value)
EBB_SIMT_ATOMIC(atomicExch, value)
EBB_SIMT_ATOMIC(atomicOr, old | value)
EBB_SIMT_ATOMIC(atomicAnd, old& value)
EBB_SIMT_ATOMIC(atomicXor, old ^ value)
EBB_SIMT_ATOMIC(atomicInc, old >= value ? 0 : old + 1)
#undef EBB_SIMT_ATOMIC
template <class T>
SIMT_UNCHECKED T atomicCAS(T* p, std::type_identity_t<T> expected, std::type_identity_t<T> value,
                           Site site = Site::current()) {
  static_assert(std::is_integral_v<T>);
  T old;
  simt::emulator::atomic_read(p, &old, sizeof(T), site);
  const T now = old == expected ? value : old;
  simt::emulator::atomic_write(p, &now, sizeof(T));
  return old;
}

template <class T>
T __ldg(const T* p) {
  return *p;
}

template <class A, class B>
constexpr std::common_type_t<A, B> min(A a, B b) {
  using C = std::common_type_t<A, B>;
  return static_cast<C>(a) < static_cast<C>(b) ? static_cast<C>(a) : static_cast<C>(b);
}
template <class A, class B>
constexpr std::common_type_t<A, B> max(A a, B b) {
  using C = std::common_type_t<A, B>;
  return static_cast<C>(a) < static_cast<C>(b) ? static_cast<C>(b) : static_cast<C>(a);
}

inline float rsqrtf(float x) { return 1.0f / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __sinf(float x) { return std::sin(x); }
inline float __cosf(float x) { return std::cos(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fdiv_rn(float a, float b) { return a / b; }
inline float __frcp_rn(float a) { return 1.0f / a; }
inline float __fsqrt_rn(float a) { return std::sqrt(a); }
inline float __fmaf_rn(float a, float b, float c) { return std::fma(a, b, c); }
inline float __saturatef(float x) { return x > 0 ? (x < 1 ? x : 1.0f) : 0.0f; }
inline int __float_as_int(float x) { return std::bit_cast<int>(x); }
inline uint32_t __float_as_uint(float x) { return std::bit_cast<uint32_t>(x); }
inline float __int_as_float(int x) { return std::bit_cast<float>(x); }
inline float __uint_as_float(uint32_t x) { return std::bit_cast<float>(x); }
inline int __popc(uint32_t x) { return std::popcount(x); }
inline int __clz(int x) { return std::countl_zero(static_cast<uint32_t>(x)); }
inline int __ffs(int x) { return x == 0 ? 0 : std::countr_zero(static_cast<uint32_t>(x)) + 1; }
inline uint32_t __umulhi(uint32_t a, uint32_t b) {
  return static_cast<uint32_t>(uint64_t{a} * b >> 32);
}

}  // namespace ebb::emu

namespace ebb::simt {
inline namespace EBB_GPU_NAMESPACE {

using Site = emulator::Site;

struct LaunchConfig {
  const char* name;
  dim3 grid;
  dim3 block;
  int64_t shared_bytes = 0;
  KernelStream stream;
};

template <class... Params, class... Args>
SIMT_UNCHECKED void launch(const LaunchConfig& config, void (*kernel)(Params...), Args&&... args) {
  static_assert((std::is_trivially_copyable_v<Params> && ...), "a GPU gets arguments as bytes");
  struct Call {
    void (*kernel)(Params...);
    std::tuple<std::remove_const_t<Params>...> arguments;
  };
  const Call call{kernel, {static_cast<Params>(args)...}};
  const auto dim = [](dim3 d) { return emulator::Dim3{d.x, d.y, d.z}; };
  emulator::run({.name = config.name,
                 .grid = dim(config.grid),
                 .block = dim(config.block),
                 .shared_bytes = config.shared_bytes,
                 .asked_for_shared = must_ask_for_shared(config.shared_bytes),
                 .thread =
                     [](const void* data) SIMT_UNCHECKED {
                       const Call* c = static_cast<const Call*>(data);
                       std::apply(c->kernel, c->arguments);
                     },
                 .arguments = &call,
                 .argument_bytes = sizeof(call)});
}

inline uint32_t shared_address(const void* p) { return emulator::shared_address(p); }
inline bool last_block(uint32_t* counter, uint32_t blocks, Site site = Site::current()) {
  return emulator::last_block(counter, blocks, site);
}

inline void named_barrier_sync(int id, int threads, Site site = Site::current()) {
  emulator::named_barrier(id, threads, true, site);
}
inline void named_barrier_arrive(int id, int threads, Site site = Site::current()) {
  emulator::named_barrier(id, threads, false, site);
}

template <int kBytes = 16>
void cp_async(void* dst, const void* src, bool valid = true, Site site = Site::current()) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16);
  emulator::cp_async(dst, src, kBytes, valid, site);
}
inline void cp_async_commit(Site site = Site::current()) { emulator::cp_async_commit(site); }
template <int kPending>
void cp_async_wait(Site site = Site::current()) {
  emulator::cp_async_wait(kPending, site);
}

inline void ldmatrix_x4(uint32_t (&r)[4], const void* row, Site site = Site::current()) {
  emulator::ldmatrix(r, row, false, site);
}
inline void ldmatrix_x4_trans(uint32_t (&r)[4], const void* row, Site site = Site::current()) {
  emulator::ldmatrix(r, row, true, site);
}

#define EBB_SIMT_MMA(name, format)                                             \
  inline void name(float(&d)[4], const uint32_t(&a)[4], const uint32_t(&b)[2], \
                   Site site = Site::current()) {                              \
    emulator::mma(emulator::Format::format, d, a, b, site);                    \
  }
EBB_SIMT_MMA(mma_m16n8k16_bf16, kBf16)
EBB_SIMT_MMA(mma_m16n8k16_f16, kF16)
EBB_SIMT_MMA(mma_m16n8k8_tf32, kTf32)
#undef EBB_SIMT_MMA

inline uint32_t to_tf32(float x) {
  const uint32_t bits = std::bit_cast<uint32_t>(x);
  constexpr uint32_t kExponent = 0x7f800000u, kKept = 0xffffe000u, kHalf = 0x1000u;
  // Infinities stay, NaNs stay NaN.
  if ((bits & kExponent) == kExponent) return bits & (bits & 0x7fffffu ? ~0u : kKept);
  return (bits + kHalf) & kKept;
}

}  // namespace EBB_GPU_NAMESPACE
}  // namespace ebb::simt
