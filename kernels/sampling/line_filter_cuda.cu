#include "base/error.h"
#include "kernels/cuda/grid.h"
#include "kernels/sampling/line_filter.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

SIMT_DEVICE int64_t reflect(int64_t position, int64_t size) {
  if (position < 0) return -position;
  return position < size ? position : 2 * (size - 1) - position;
}

// One thread per element. Rounds after each product and each sum, as the CPU does.
__global__ void __launch_bounds__(kThreads) line_filter_kernel(LineFilterArgs args) {
  const int64_t reach = args.taps / 2, count = args.n * args.h * args.w * args.c;
  for (int64_t e = global_thread(); e < count; e += global_threads()) {
    const int64_t c = e % args.c, pixel = e / args.c;
    const int64_t j = pixel % args.w, i = pixel / args.w % args.h, n = pixel / args.w / args.h;
    float sum = 0;
    for (int64_t k = 0; k < args.taps; ++k) {
      const int64_t si = reflect(i + (k - reach) * args.dy, args.h);
      const int64_t sj = reflect(j + (k - reach) * args.dx, args.w);
      const float x = args.x[((n * args.h + si) * args.w + sj) * args.c + c];
      sum = __fadd_rn(sum, __fmul_rn(args.weights[k], x));
    }
    args.y[e] = sum;
  }
}

}  // namespace

void line_filter(const LineFilterArgs& args, KernelStream stream) {
  const int64_t reach = args.taps / 2;
  EBB_CHECK(
      args.taps % 2 == 1 && (args.dy == 0 || reach < args.h) && (args.dx == 0 || reach < args.w),
      ShapeError, "cuda kernels: line_filter with ", args.taps, " taps on ", args.h, " x ", args.w,
      " pixels");
  simt::launch({.name = "line_filter",
                .grid = dim3(blocks_for(args.n * args.h * args.w * args.c)),
                .block = dim3(kThreads),
                .stream = stream},
               line_filter_kernel, args);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
