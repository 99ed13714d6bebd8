#include "kernels/sampling/threshold.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

// Bits of values without sign are ordered as the values, and unlike those when there are NaNs.
float quantile(const float* x, int64_t count, float ratio) {
  std::vector<uint32_t> sizes(static_cast<size_t>(count));
  std::transform(x, x + count, sizes.begin(),
                 [](float v) { return std::bit_cast<uint32_t>(std::fabs(v)); });
  const float rank = ratio * static_cast<float>(count - 1);
  const auto below = sizes.begin() + static_cast<int64_t>(rank);
  std::nth_element(sizes.begin(), below, sizes.end());
  const float low = std::bit_cast<float>(*below), weight = rank - std::floor(rank);
  if (below + 1 == sizes.end()) return low;
  const float high = std::bit_cast<float>(*std::min_element(below + 1, sizes.end()));
  return low + weight * (high - low);
}

// A NaN stays one.
void limit_values(const float* x, int64_t count, float limit, float divisor, float* y) {
  for (int64_t e = 0; e < count; ++e) y[e] = std::clamp(x[e], -limit, limit) / divisor;
}

}  // namespace

void threshold(const ThresholdArgs& args, KernelStream stream) {
  if (!args.dynamic) {
    return parallel_chunks(stream.threads, args.n * args.elements, [&](int64_t begin, int64_t end) {
      limit_values(args.x + begin, end - begin, args.limit, 1, args.y + begin);
    });
  }
  parallel_for(stream.threads, args.n, [&](int64_t image) {
    const float* x = args.x + image * args.elements;
    const float s = std::fmin(std::fmax(quantile(x, args.elements, args.ratio), 1.0f), args.limit);
    limit_values(x, args.elements, s, s, args.y + image * args.elements);
  });
}

}  // namespace ebb::cpu
