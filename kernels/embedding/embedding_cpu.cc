#include "kernels/embedding/embedding.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void embedding(const EmbeddingArgs& args, KernelStream stream) {
  require_f32("embedding", args.dtype);
  parallel_for(stream.threads, args.count, [&](int64_t i) {
    const int64_t id = args.ids[i];
    float* y = as_f32(args.y) + i * args.c;
    if (id >= 0 && id < args.entries) {
      std::copy_n(as_f32(args.table) + id * args.c, args.c, y);
    } else {
      std::fill_n(y, args.c, std::numeric_limits<float>::quiet_NaN());
    }
  });
}

// A task owns some channels of all rows.
void embedding_backward(const EmbeddingBackwardArgs& args, KernelStream stream) {
  require_f32("embedding", args.dtype);
  constexpr int64_t kChannels = 16;  // a cache line
  parallel_for(stream.threads, ceil_div(args.c, kChannels), [&](int64_t task) {
    const int64_t first = task * kChannels, count = std::min(kChannels, args.c - first);
    for (int64_t e = 0; e < args.entries; ++e) {
      std::fill_n(args.dtable + e * args.c + first, count, 0.0f);
    }
    for (int64_t i = 0; i < args.count; ++i) {
      const int64_t id = args.ids[i];
      if (id < 0 || id >= args.entries) continue;
      const float* dy = as_f32(args.dy) + i * args.c + first;
      float* row = args.dtable + id * args.c + first;
      for (int64_t c = 0; c < count; ++c) row[c] += dy[c];
    }
  });
}

void timestep_embedding(const TimestepEmbeddingArgs& args, KernelStream stream) {
  const int64_t half = args.c / 2;
  parallel_for(stream.threads, args.n, [&](int64_t n) {
    float* y = args.y + n * args.c;
    if (args.c % 2 == 1) y[args.c - 1] = 0;
    for (int64_t i = 0; i < half; ++i) {
      const double exponent = static_cast<double>(i) / (static_cast<double>(half) - args.shift);
      const double angle = args.t[n] * std::exp(-std::log(args.max_period) * exponent);
      y[args.sin_first ? half + i : i] = static_cast<float>(std::cos(angle));
      y[args.sin_first ? i : half + i] = static_cast<float>(std::sin(angle));
    }
  });
}

}  // namespace ebb::cpu
