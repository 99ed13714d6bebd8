#pragma once

// One kernel source, two worlds. nvcc compiles a .cu file for the GPU into namespace ebb::cuda; the
// host compiler compiles the same file as C++ into ebb::emu, where an emulator (emulator) runs
// every thread of a block as a fiber and checks each memory access. Kernel files are written as
//
//   #include "kernels/simt/simt.h"
//   namespace ebb::EBB_GPU_NAMESPACE {
//   namespace {
//   __global__ void scale_kernel(float* y, int64_t n) { SIMT_SHARED(float, part, [32]); ... }
//   }  // namespace
//   void scale(const ScaleArgs& args, KernelStream stream) {
//     simt::launch({.name = "scale", .grid = dim3(blocks), .block = dim3(256), .stream = stream},
//                  scale_kernel, args.y, args.n);
//   }
//   }
//
// Rules that make a kernel compile and behave the same in both:
//   - launch() instead of <<<>>>; PTX only through the functions of namespace simt
//   - shared memory only by SIMT_SHARED(type, name, [dims]) (at most 48 KiB of them, 16 KiB in a
//     kernel that also has dynamic shared memory; kernels/simt/shared_memory.h) and
//     SIMT_DYNAMIC_SHARED(type, name), a pointer to LaunchConfig::shared_bytes, 1024-byte aligned
//   - no int that overflows, used or not; the emulator ends the kernel where the value is used
//   - no __CUDA_ARCH__: code for one architecture is chosen by a template parameter
//   - every thread of a block reaches every __syncthreads(); none returns before it. A barrier in a
//     function that is called from different places counts as one barrier.
//   - a __syncwarp() orders shared memory within a warp; a shuffle, a vote or an mma does not
//   - blocks do not wait for each other. Results of other blocks are read after
//     simt::last_block() alone.
//   - no float atomics (results would depend on the order), no same-value races
//   - no cooperative groups, CUB, textures, std:: containers, memcpy of a size known at run time

#include <cuda_bf16.h>
#include <cuda_fp16.h>

#include <cstddef>
#include <cstdint>

#include "base/kernel_stream.h"

#if defined(__CUDACC__)
#define EBB_GPU_NAMESPACE cuda
#include "kernels/simt/device.h"
#include "kernels/simt/hopper_device.h"
#else
#define EBB_GPU_NAMESPACE emu
#include "kernels/simt/hopper_host.h"
#include "kernels/simt/host.h"
#endif
