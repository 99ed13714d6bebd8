#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/spatial/upsample.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One thread per pack of channels of an output pixel.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads) upsample_forward_kernel(UpsampleForwardArgs args) {
  const UpsampleSize s = args.size;
  const int64_t packs = s.c / kWidth;
  for (int64_t i = global_thread(); i < s.n * s.ho * s.wo * packs; i += global_threads()) {
    const int64_t pixel = i / packs, channel = i % packs * kWidth;
    const int64_t line = pixel / s.wo, n = line / s.ho;
    const AxisSample row = axis_sample(args.interpolation, s.h, s.ho, line % s.ho);
    const AxisSample column = axis_sample(args.interpolation, s.w, s.wo, pixel % s.wo);
    const T* image = static_cast<const T*>(args.x) + n * s.h * s.w * s.c + channel;
    const auto a = load_pack<kWidth>(image + (row.first * s.w + column.first) * s.c);
    const auto b = load_pack<kWidth>(image + (row.first * s.w + column.second) * s.c);
    const auto c = load_pack<kWidth>(image + (row.second * s.w + column.first) * s.c);
    const auto d = load_pack<kWidth>(image + (row.second * s.w + column.second) * s.c);
    Pack<T, kWidth> y;
    for (int e = 0; e < kWidth; ++e) {
      const float va = to_float(a.v[e]), vc = to_float(c.v[e]);
      const float above = va + column.weight * (to_float(b.v[e]) - va);
      const float below = vc + column.weight * (to_float(d.v[e]) - vc);
      y.v[e] = from_float<T>(above + row.weight * (below - above));
    }
    store_pack<kWidth>(static_cast<T*>(args.y) + pixel * s.c + channel, y);
  }
}

// One thread per pack of channels of an input pixel, which gathers what reads it. Three blocks per
// SM: without the bound ptxas spills registers to fit a fourth.
template <class T, int kWidth>
__global__ void __launch_bounds__(kThreads, 3) upsample_backward_kernel(UpsampleBackwardArgs args) {
  const UpsampleSize s = args.size;
  const int64_t packs = s.c / kWidth;
  for (int64_t i = global_thread(); i < s.n * s.h * s.w * packs; i += global_threads()) {
    const int64_t pixel = i / packs, channel = i % packs * kWidth;
    const int64_t column = pixel % s.w, line = pixel / s.w, row = line % s.h, n = line / s.h;
    const T* image = static_cast<const T*>(args.dy) + n * s.ho * s.wo * s.c + channel;
    const AxisRange rows = outputs_of(s.h, s.ho, row), columns = outputs_of(s.w, s.wo, column);
    float sum[kWidth] = {};
    for (int64_t oi = rows.begin; oi < rows.end; ++oi) {
      const float down = axis_sample(args.interpolation, s.h, s.ho, oi).weight_of(row);
      for (int64_t oj = columns.begin; down != 0 && oj < columns.end; ++oj) {
        const float weight =
            down * axis_sample(args.interpolation, s.w, s.wo, oj).weight_of(column);
        if (weight == 0) continue;
        const auto dy = load_pack<kWidth>(image + (oi * s.wo + oj) * s.c);
        for (int e = 0; e < kWidth; ++e) sum[e] += weight * to_float(dy.v[e]);
      }
    }
    Pack<T, kWidth> dx;
    for (int e = 0; e < kWidth; ++e) dx.v[e] = from_float<T>(sum[e]);
    store_pack<kWidth>(static_cast<T*>(args.dx) + pixel * s.c + channel, dx);
  }
}

simt::LaunchConfig config(const char* name, int64_t work, KernelStream stream) {
  return {.name = name, .grid = dim3(blocks_for(work)), .block = dim3(kThreads), .stream = stream};
}

}  // namespace

void upsample_forward(const UpsampleForwardArgs& args, KernelStream stream) {
  for_dtype("upsample", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool vectorized = packs_fit(args.x, args.y) && args.size.c % kWidth == 0;
    const int64_t work = args.size.n * args.size.ho * args.size.wo * args.size.c;
    simt::launch(config("upsample_forward", vectorized ? work / kWidth : work, stream),
                 vectorized ? upsample_forward_kernel<T, kWidth> : upsample_forward_kernel<T, 1>,
                 args);
  });
}

void upsample_backward(const UpsampleBackwardArgs& args, KernelStream stream) {
  for_dtype("upsample", args.dtype, [&](auto type) {
    using T = decltype(type);
    constexpr int kWidth = kPackWidth<T>;
    const bool vectorized = packs_fit(args.dy, args.dx) && args.size.c % kWidth == 0;
    const int64_t work = args.size.n * args.size.h * args.size.w * args.size.c;
    simt::launch(config("upsample_backward", vectorized ? work / kWidth : work, stream),
                 vectorized ? upsample_backward_kernel<T, kWidth> : upsample_backward_kernel<T, 1>,
                 args);
  });
}

}  // namespace ebb::EBB_GPU_NAMESPACE
