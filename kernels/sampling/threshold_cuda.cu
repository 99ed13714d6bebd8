#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/sampling/threshold.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

constexpr int kSearchThreads = 512;

// Bits of values without sign are ordered as the values.
SIMT_DEVICE unsigned magnitude_bits(float v) { return __float_as_uint(fabsf(v)); }

// The value of rank `rank` among |x|, by bisection over bits: the smallest with more than `rank`
// values up to it. `up_to` becomes their number.
SIMT_DEVICE unsigned ranked_bits(const float* x, int elements, int rank, int& up_to) {
  unsigned low = 0, high = 0x7fffffffu;  // the largest NaN
  up_to = elements;
  while (low < high) {
    const unsigned middle = low + (high - low) / 2;
    int count = 0;
    for (int e = static_cast<int>(threadIdx.x); e < elements; e += kSearchThreads) {
      count += magnitude_bits(x[e]) <= middle;
    }
    count = block_sum<kSearchThreads>(count);
    if (count > rank) {
      high = middle;
      up_to = count;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

// A NaN stays one.
SIMT_DEVICE float clamped(float v, float limit) {
  return v > limit ? limit : v < -limit ? -limit : v;
}

// The smallest |x| above a value; infinity when there is none.
SIMT_DEVICE float next_magnitude(const float* x, int elements, unsigned bits) {
  float smallest = __uint_as_float(0x7f800000u);
  for (int e = static_cast<int>(threadIdx.x); e < elements; e += kSearchThreads) {
    if (magnitude_bits(x[e]) > bits) smallest = fminf(smallest, fabsf(x[e]));
  }
  return -block_max<kSearchThreads>(-smallest);
}

SIMT_DEVICE float quantile(const float* x, int elements, float ratio) {
  const float rank = ratio * static_cast<float>(elements - 1);
  const int below = static_cast<int>(rank);
  int up_to;
  const unsigned bits = ranked_bits(x, elements, below, up_to);
  const float low = __uint_as_float(bits), weight = rank - floorf(rank);
  // Equal values share the next rank, too.
  const float high = up_to > below + 1 ? low : next_magnitude(x, elements, bits);
  return below + 1 == elements ? low : low + weight * (high - low);
}

// One block per image; an image is read to its end before it is written. y may be x.
__global__ void __launch_bounds__(kSearchThreads) dynamic_threshold_kernel(ThresholdArgs args) {
  const int elements = static_cast<int>(args.elements);
  for (int64_t image = blockIdx.x; image < args.n; image += gridDim.x) {
    const float* x = args.x + image * args.elements;
    float* y = args.y + image * args.elements;
    const float s = fminf(fmaxf(quantile(x, elements, args.ratio), 1.0f), args.limit);
    __syncthreads();  // or it would be written while others read it
    for (int e = static_cast<int>(threadIdx.x); e < elements; e += kSearchThreads) {
      y[e] = clamped(x[e], s) / s;
    }
  }
}

// y may be x.
__global__ void __launch_bounds__(kThreads) clip_kernel(ThresholdArgs args) {
  const int64_t count = args.n * args.elements;
  for (int64_t e = global_thread(); e < count; e += global_threads()) {
    args.y[e] = clamped(args.x[e], args.limit);
  }
}

}  // namespace

void threshold(const ThresholdArgs& args, KernelStream stream) {
  if (args.dynamic) {
    simt::launch({.name = "dynamic_threshold",
                  .grid = dim3(blocks_for(args.n, 1)),
                  .block = dim3(kSearchThreads),
                  .stream = stream},
                 dynamic_threshold_kernel, args);
  } else {
    simt::launch({.name = "clip",
                  .grid = dim3(blocks_for(args.n * args.elements)),
                  .block = dim3(kThreads),
                  .stream = stream},
                 clip_kernel, args);
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
