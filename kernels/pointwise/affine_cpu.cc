#include "kernels/pointwise/affine.h"

#include <cmath>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void affine(const AffineArgs& args, KernelStream stream) {
  require_f32("affine", args.dtype);
  const float *x = as_f32(args.x), scale = args.scale, shift = args.shift;
  float* y = as_f32(args.y);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = std::fma(scale, x[i], shift);
  });
}

}  // namespace ebb::cpu
