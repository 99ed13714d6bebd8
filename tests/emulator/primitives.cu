#include "kernels/simt/simt.h"
#include "tests/emulator/primitives.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

using simt::launch;

__device__ int linear_thread() {
  return static_cast<int>((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x);
}

__global__ void indices_kernel(uint32_t* y) {
  const uint32_t block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const uint32_t threads = blockDim.x * blockDim.y * blockDim.z;
  y[block * threads + static_cast<uint32_t>(linear_thread())] =
      threadIdx.x | threadIdx.y << 4 | threadIdx.z << 8 | blockIdx.x << 12 | blockIdx.y << 16 |
      blockIdx.z << 20;
}

__global__ void barrier_votes_kernel(int32_t* y) {
  const int t = static_cast<int>(threadIdx.x);
  const int count = __syncthreads_count(t % 3 == 0);
  const int any = __syncthreads_or(t == 95), none = __syncthreads_or(t == 96);
  const int all = __syncthreads_and(t < 96), most = __syncthreads_and(t < 95);
  y[t] = count + (any << 8) + (none << 9) + (all << 10) + (most << 11);
}

__global__ void shuffles_kernel(int operand, int width, int32_t* y) {
  const int t = static_cast<int>(threadIdx.x), value = t * t + 1;
  y[t] = __shfl_sync(0xffffffffu, value, operand, width);
  y[64 + t] = __shfl_xor_sync(0xffffffffu, value, operand, width);
  y[128 + t] = __shfl_up_sync(0xffffffffu, value, static_cast<unsigned>(operand), width);
  y[192 + t] = __shfl_down_sync(0xffffffffu, value, static_cast<unsigned>(operand), width);
}

__global__ void shuffle_doubles_kernel(double* y) {
  const double value = 1.0 / (threadIdx.x + 1);
  y[threadIdx.x] = __shfl_up_sync(0xffffffffu, value, 1u);
}

__global__ void votes_kernel(const int32_t* x, int32_t* y) {
  const int t = static_cast<int>(threadIdx.x);
  const int32_t v = x[t];
  y[t] = static_cast<int32_t>(__ballot_sync(0xffffffffu, v > 0));
  y[32 + t] = __any_sync(0xffffffffu, v == 7);
  y[64 + t] = __all_sync(0xffffffffu, v < 100);
  y[96 + t] = static_cast<int32_t>(__match_any_sync(0xffffffffu, v));
  y[128 + t] = __reduce_add_sync(0xffffffffu, v);
  // Half a warp at a time, each with its own mask.
  y[160 + t] = __reduce_max_sync(t < 16 ? 0xffffu : 0xffff0000u, v);
}

__global__ void atomics_kernel(int32_t* y) {
  const int t = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  atomicAdd(y + 0, t);
  atomicSub(y + 1, t);
  atomicMax(y + 2, t % 100);
  atomicMin(y + 3, -t);
  atomicOr(y + 4, 1 << t % 31);
  atomicAnd(y + 5, ~(1 << t % 8));
  atomicXor(y + 6, t);
  if (atomicCAS(y + 7, 0, 42) == 0) y[8] = 1;
  atomicExch(y + 9, 5);
  atomicInc(reinterpret_cast<uint32_t*>(y + 10), 9u);
}

__global__ void named_barriers_kernel(int32_t* y) {
  SIMT_SHARED(int32_t, box, [128]);
  const int t = static_cast<int>(threadIdx.x), pair = t / 64;
  box[t] = 10 * t;
  simt::named_barrier_sync(1 + pair, 64);
  const int32_t other = box[pair * 64 + 63 - t % 64];
  // The first warp of a pair only announces that it is done; the second waits for it.
  if (t % 64 < 32) {
    y[t] = other;
    simt::named_barrier_arrive(3 + pair, 64);
  } else {
    simt::named_barrier_sync(3 + pair, 64);
    box[t - 32] = other;
    y[t] = other + 1;
  }
}

template <int kBytes>
__global__ void copy_async_kernel(const uint32_t* x, uint32_t* y, int count) {
  SIMT_DYNAMIC_SHARED(uint32_t, box);
  constexpr int kWords = kBytes / 4;
  const int t = static_cast<int>(threadIdx.x), pieces = count / kWords;
  for (int piece = t; piece < pieces; piece += static_cast<int>(blockDim.x)) {
    simt::cp_async<kBytes>(box + piece * kWords, x + (pieces - 1 - piece) * kWords, piece % 3 != 0);
    simt::cp_async_commit();
  }
  simt::cp_async_wait<0>();
  __syncthreads();
  for (int i = t; i < count; i += static_cast<int>(blockDim.x)) y[i] = box[i];
}

template <bool kTransposed>
__global__ void load_matrix_kernel(const uint16_t* x, uint32_t* y) {
  SIMT_SHARED(uint4, rows, [32]);
  const int lane = static_cast<int>(threadIdx.x);
  rows[lane] = reinterpret_cast<const uint4*>(x)[lane];
  __syncwarp();
  uint32_t r[4];
  if constexpr (kTransposed) {
    simt::ldmatrix_x4_trans(r, &rows[lane]);
  } else {
    simt::ldmatrix_x4(r, &rows[lane]);
  }
  for (int i = 0; i < 4; ++i) y[lane * 4 + i] = r[i];
}

__device__ uint32_t pair(const uint16_t* p, int stride) {
  return p[0] | static_cast<uint32_t>(p[stride]) << 16;
}

template <bool kBf16>
__global__ void multiply_16bit_kernel(const uint16_t* a, const uint16_t* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  const uint32_t fa[4] = {pair(a + g * 16 + 2 * t, 1), pair(a + (g + 8) * 16 + 2 * t, 1),
                          pair(a + g * 16 + 2 * t + 8, 1), pair(a + (g + 8) * 16 + 2 * t + 8, 1)};
  const uint32_t fb[2] = {pair(b + 2 * t * 8 + g, 8), pair(b + (2 * t + 8) * 8 + g, 8)};
  float acc[4];
  for (int i = 0; i < 4; ++i) acc[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  if constexpr (kBf16) {
    simt::mma_m16n8k16_bf16(acc, fa, fb);
  } else {
    simt::mma_m16n8k16_f16(acc, fa, fb);
  }
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = acc[i];
}

__global__ void multiply_tf32_kernel(const uint32_t* a, const uint32_t* b, float* d) {
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  const uint32_t fa[4] = {a[g * 8 + t], a[(g + 8) * 8 + t], a[g * 8 + t + 4],
                          a[(g + 8) * 8 + t + 4]};
  const uint32_t fb[2] = {b[t * 8 + g], b[(t + 4) * 8 + g]};
  float acc[4];
  for (int i = 0; i < 4; ++i) acc[i] = d[(g + i / 2 * 8) * 8 + 2 * t + i % 2];
  simt::mma_m16n8k8_tf32(acc, fa, fb);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = acc[i];
}

__global__ void multiply_ldmatrix_kernel(const uint16_t* a, const uint16_t* b, float* d) {
  SIMT_SHARED(uint4, sa, [16][2]);  // [row][k]
  SIMT_SHARED(uint4, sb, [8][2]);   // [column][k]
  const int lane = static_cast<int>(threadIdx.x), g = lane / 4, t = lane % 4;
  sa[lane / 2][lane % 2] = reinterpret_cast<const uint4*>(a)[lane];
  if (lane < 16) sb[lane / 2][lane % 2] = reinterpret_cast<const uint4*>(b)[lane];
  __syncwarp();
  uint32_t fa[4], fb[4];
  simt::ldmatrix_x4(fa, &sa[lane % 16][lane / 16]);
  simt::ldmatrix_x4(fb, &sb[lane % 8][lane / 8 % 2]);
  const uint32_t first[2] = {fb[0], fb[1]};
  float acc[4] = {0, 0, 0, 0};
  simt::mma_m16n8k16_bf16(acc, fa, first);
  for (int i = 0; i < 4; ++i) d[(g + i / 2 * 8) * 8 + 2 * t + i % 2] = acc[i];
}

__global__ void round_tf32_kernel(const float* x, uint32_t* y, int count) {
  for (int i = static_cast<int>(threadIdx.x); i < count; i += 32) y[i] = simt::to_tf32(x[i]);
}

__global__ void sum_by_last_block_kernel(const int32_t* x, int count, int32_t* partials,
                                         uint32_t* counter, int32_t* y) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  const int sum = __reduce_add_sync(0xffffffffu, i < count ? x[i] : 0);
  if (threadIdx.x == 0) partials[blockIdx.x] = sum;
  if (!simt::last_block(counter, gridDim.x)) return;
  if (threadIdx.x != 0) return;
  int total = 0;
  for (uint32_t b = 0; b < gridDim.x; ++b) total += partials[b];
  y[0] = total;
  y[1] = static_cast<int32_t>(blockIdx.x);
}

__global__ void arrival_order_kernel(uint32_t* counter, int32_t* order) {
  const uint32_t place = atomicAdd(counter, 1u);
  order[place] = static_cast<int32_t>(blockIdx.x * blockDim.x + threadIdx.x);
}

__device__ int32_t rotate(int32_t value, int shift) {
  SIMT_SHARED(int32_t, ring, [64]);
  const int t = static_cast<int>(threadIdx.x);
  __syncthreads();
  ring[t] = value;
  __syncthreads();
  return ring[(t + shift) % 64];
}

__global__ void shared_memory_kernel(int32_t* y) {
  SIMT_DYNAMIC_SHARED(int32_t, box);
  const int t = static_cast<int>(threadIdx.x);
  box[63 - t] = 100 * t;
  const int32_t first = rotate(7 * t, 1), second = rotate(first, 2);  // the same shared array
  __syncthreads();
  y[t] = box[t] + second;
}

template <int kStaticBytes>
__global__ void shared_limits_kernel() {
  SIMT_SHARED(volatile uint8_t, box, [kStaticBytes]);  // volatile: nothing reads it
  box[threadIdx.x] = 1;
}

__global__ void empty_kernel() {}

}  // namespace

void indices(uint32_t* y, KernelStream stream) {
  launch({.name = "indices", .grid = dim3(2, 3, 2), .block = dim3(4, 3, 2), .stream = stream},
         indices_kernel, y);
}
void barrier_votes(int32_t* y, KernelStream stream) {
  launch({.name = "barrier_votes", .grid = dim3(1), .block = dim3(96), .stream = stream},
         barrier_votes_kernel, y);
}
void shuffles(int operand, int width, int32_t* y, KernelStream stream) {
  launch({.name = "shuffles", .grid = dim3(1), .block = dim3(64), .stream = stream},
         shuffles_kernel, operand, width, y);
}
void shuffle_doubles(double* y, KernelStream stream) {
  launch({.name = "shuffle_doubles", .grid = dim3(1), .block = dim3(32), .stream = stream},
         shuffle_doubles_kernel, y);
}
void votes(const int32_t* x, int32_t* y, KernelStream stream) {
  launch({.name = "votes", .grid = dim3(1), .block = dim3(32), .stream = stream}, votes_kernel, x,
         y);
}
void atomics(int32_t* y, KernelStream stream) {
  launch({.name = "atomics", .grid = dim3(3), .block = dim3(64), .stream = stream}, atomics_kernel,
         y);
}
void named_barriers(int32_t* y, KernelStream stream) {
  launch({.name = "named_barriers", .grid = dim3(1), .block = dim3(128), .stream = stream},
         named_barriers_kernel, y);
}
void copy_async(int bytes, const uint32_t* x, uint32_t* y, int count, KernelStream stream) {
  const auto kernel = bytes == 4   ? copy_async_kernel<4>
                      : bytes == 8 ? copy_async_kernel<8>
                                   : copy_async_kernel<16>;
  launch({.name = "copy_async",
          .grid = dim3(1),
          .block = dim3(64),
          .shared_bytes = count * int64_t{4},
          .stream = stream},
         kernel, x, y, count);
}
void load_matrix(bool transposed, const uint16_t* x, uint32_t* y, KernelStream stream) {
  launch({.name = "load_matrix", .grid = dim3(1), .block = dim3(32), .stream = stream},
         transposed ? load_matrix_kernel<true> : load_matrix_kernel<false>, x, y);
}
void multiply(simt::emulator::Format format, const void* a, const void* b, float* d,
              KernelStream stream) {
  const simt::LaunchConfig config{
      .name = "multiply", .grid = dim3(1), .block = dim3(32), .stream = stream};
  if (format == simt::emulator::Format::kTf32) {
    launch(config, multiply_tf32_kernel, static_cast<const uint32_t*>(a),
           static_cast<const uint32_t*>(b), d);
  } else {
    launch(config,
           format == simt::emulator::Format::kBf16 ? multiply_16bit_kernel<true>
                                                   : multiply_16bit_kernel<false>,
           static_cast<const uint16_t*>(a), static_cast<const uint16_t*>(b), d);
  }
}
void multiply_ldmatrix(const uint16_t* a, const uint16_t* b, float* d, KernelStream stream) {
  launch({.name = "multiply_ldmatrix", .grid = dim3(1), .block = dim3(32), .stream = stream},
         multiply_ldmatrix_kernel, a, b, d);
}
void round_tf32(const float* x, uint32_t* y, int count, KernelStream stream) {
  launch({.name = "round_tf32", .grid = dim3(1), .block = dim3(32), .stream = stream},
         round_tf32_kernel, x, y, count);
}
void sum_by_last_block(const int32_t* x, int count, int32_t* partials, uint32_t* counter,
                       int32_t* y, KernelStream stream) {
  launch({.name = "sum_by_last_block",
          .grid = dim3(static_cast<uint32_t>((count + 31) / 32)),
          .block = dim3(32),
          .stream = stream},
         sum_by_last_block_kernel, x, count, partials, counter, y);
}
void arrival_order(uint32_t* counter, int32_t* order, KernelStream stream) {
  launch({.name = "arrival_order", .grid = dim3(2), .block = dim3(64), .stream = stream},
         arrival_order_kernel, counter, order);
}
void shared_memory(int32_t* y, KernelStream stream) {
  launch({.name = "shared_memory",
          .grid = dim3(1),
          .block = dim3(64),
          .shared_bytes = 256,
          .stream = stream},
         shared_memory_kernel, y);
}
void shared_limits(StaticShared kind, int64_t dynamic_bytes, KernelStream stream) {
  launch({.name = "shared_limits",
          .grid = dim3(1),
          .block = dim3(1),
          .shared_bytes = dynamic_bytes,
          .stream = stream},
         kind == StaticShared::kOneByte ? shared_limits_kernel<1>
         : kind == StaticShared::kMost  ? shared_limits_kernel<16 << 10>
                                        : shared_limits_kernel<(16 << 10) + 1>);
}
void empty_grid(uint32_t x, uint32_t y, uint32_t z, uint32_t threads, int64_t shared_bytes,
                KernelStream stream) {
  launch({.name = "empty",
          .grid = dim3(x, y, z),
          .block = dim3(threads),
          .shared_bytes = shared_bytes,
          .stream = stream},
         empty_kernel);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
