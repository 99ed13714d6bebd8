#pragma once

#include <cstdint>

#include "kernels/simt/emulator.h"
#include "kernels/simt/simt.h"

// Kernels that do one thing each (primitives.cu, primitives_hopper.cu), to compare the emulator
// with what CUDA documents. All run one block unless they say otherwise.
namespace ebb::EBB_GPU_NAMESPACE {

// y[block, thread] = packed indices of grid (2, 3, 2), block (4, 3, 2)
void indices(uint32_t* y, KernelStream stream);
// y[t] = values of __syncthreads_count, _or, _and for predicates t % 3 == 0; 96 threads
void barrier_votes(int32_t* y, KernelStream stream);
// y[kind, t] = shuffled t * t + 1; 64 threads. kind: index, xor, up, down
void shuffles(int operand, int width, int32_t* y, KernelStream stream);
// The same with 8-byte values moved one lane up.
void shuffle_doubles(double* y, KernelStream stream);
// y[0..5][t]: ballot, any, all, match_any, reduce_add, reduce_max of x
void votes(const int32_t* x, int32_t* y, KernelStream stream);
// Results of each atomic after 64 threads of 3 blocks: see the test
void atomics(int32_t* y, KernelStream stream);
// Two pairs of warps hand data over through named barriers; y[128]
void named_barriers(int32_t* y, KernelStream stream);
// y[i] = x[count - 1 - i] through shared memory in pieces of kBytes; 0 where i % 3 == 0
void copy_async(int bytes, const uint32_t* x, uint32_t* y, int count, KernelStream stream);
// x: 32 rows of 8 16-bit elements; y[lane, 4]
void load_matrix(bool transposed, const uint16_t* x, uint32_t* y, KernelStream stream);
// d [16, 8] += a [16, k] * b [k, 8]: operands by the documented fragments; format as in emulator.h.
// a, b: 16-bit elements, or 32-bit ones for tf32
void multiply(simt::emulator::Format format, const void* a, const void* b, float* d,
              KernelStream stream);
// The same for bf16 with operands through shared memory and ldmatrix; b is [8, 16] (k contiguous)
void multiply_ldmatrix(const uint16_t* a, const uint16_t* b, float* d, KernelStream stream);
void round_tf32(const float* x, uint32_t* y, int count, KernelStream stream);
// y[0] = sum of x[count] over many blocks by the last block; y[1] = its number. counter is 0.
void sum_by_last_block(const int32_t* x, int count, int32_t* partials, uint32_t* counter,
                       int32_t* y, KernelStream stream);
// order[i] = number of the thread that came i-th; 64 threads, 2 blocks; counter is 0
void arrival_order(uint32_t* counter, int32_t* order, KernelStream stream);
// y[t] = sum of a static and a dynamic shared array written by other threads; 64 threads
void shared_memory(int32_t* y, KernelStream stream);
// One thread takes so much static and dynamic shared memory; kMost: 16 KiB, what is allowed beside
// dynamic memory, kTooMuch: a byte more.
enum class StaticShared { kOneByte, kMost, kTooMuch };
void shared_limits(StaticShared kind, int64_t dynamic_bytes, KernelStream stream);
void empty_grid(uint32_t x, uint32_t y, uint32_t z, uint32_t threads, int64_t shared_bytes,
                KernelStream stream);

// 2-D tile of a 16-bit tensor by TMA; y receives the box as it lies in shared memory
void tma_tile_2d(const simt::TensorMap& map, int c0, int c1, uint16_t* y, int count,
                 KernelStream stream);
void tma_tile_4d(const simt::TensorMap& map, int c, int w, int h, int n, uint16_t* y, int count,
                 KernelStream stream);
void tma_im2col(const simt::TensorMap& map, int c, int w, int h, int n, uint16_t ow, uint16_t oh,
                uint16_t* y, int count, KernelStream stream);
// d [64, n] = sum over `slices` slices of a * b; shared memory is filled with `image`, operands lie
// at the byte offsets, `step` bytes from slice to slice
struct WgmmaCase {
  simt::emulator::Format format;
  int n;
  bool mn_major;
  int slices;
  uint32_t a_offset, b_offset, a_step, b_step;
  uint32_t group_bytes, a_block_bytes, b_block_bytes;
};
void wgmma_product(const WgmmaCase& c, const uint32_t* image, int words, float* d,
                   KernelStream stream);
// A ring of `stages` buffers: one warp loads rows of x by TMA, the others sum them. y[64]
void tma_ring(const simt::TensorMap& map, int rows, int32_t* y, KernelStream stream);

}  // namespace ebb::EBB_GPU_NAMESPACE
