#include <algorithm>

#include "kernels/conv/cuda/conv_pass.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

template <class T>
__global__ void __launch_bounds__(kThreads) conv_naive_kernel(ConvPassArgs<T> args) {
  const TapList& list = args.list;
  const Phase32 phase = phase_of(list, static_cast<int>(blockIdx.z));
  const int channels = static_cast<int>(list.out.c), kw = static_cast<int>(list.kw);
  const int64_t count = static_cast<int64_t>(phase.rows()) * channels;
  for (int64_t i = global_thread(); i < count; i += global_threads()) {
    const int row = static_cast<int>(i / channels), channel = static_cast<int>(i % channels);
    const InputPoint point = input_point(list.in, phase, row);
    const T* weights = args.packed + int64_t{channel} * (list.kh * list.kw) * args.channels_packed;
    float sum = 0;
    for (int tap = 0; tap < phase.taps(); ++tap) {
      const int64_t offset = input_offset(list.in, point, phase.x.taps, tap);
      if (offset < 0) continue;
      const T* w = weights + int64_t{phase.position(tap, kw)} * args.channels_packed;
      for (int c = 0; c < list.in.c; ++c) sum += to_float(args.in[offset + c]) * to_float(w[c]);
    }
    const float sums[kEpilogueWidth] = {sum};
    EpilogueChannels one = epilogue_channels(args, channel);
    one.count = 1;
    epilogue_pixel(args, output_point(list.out, phase, row), one, false, sums);
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads) conv_wgrad_naive_kernel(ConvWgradArgs<T> args) {
  const TapList& list = args.list;
  const Phase32 phase = phase_of(list, 0);
  const int64_t columns = list.out.c, rows = phase.taps() * list.in.c;
  for (int64_t i = global_thread(); i < rows * columns * args.splits; i += global_threads()) {
    const int split = static_cast<int>(i / (rows * columns));
    const int64_t row = i / columns % rows, column = i % columns;
    const int tap = static_cast<int>(row / list.in.c), first = split * args.points_per_split;
    float sum = 0;
    for (int p = first; p < min(first + args.points_per_split, phase.rows()); ++p) {
      const int64_t offset =
          input_offset(list.in, input_point(list.in, phase, p), phase.x.taps, tap);
      if (offset < 0) continue;
      sum += to_float(args.in[offset + row % list.in.c]) *
             to_float(args.out[p * list.out.pitch + column]);
    }
    args.partials[i] = sum;
  }
}

}  // namespace

int64_t max_rows(const TapList& list) {
  int64_t rows = 0;
  for (int64_t p = 0; p < list.phases(); ++p)
    rows = std::max(rows, list.n * list.phase(p).pixels());
  return rows;
}

template <class T>
void conv_naive(const ConvPassArgs<T>& args, KernelStream stream) {
  simt::launch({.name = "conv_naive",
                .grid = dim3(blocks_for(max_rows(args.list) * args.list.out.c), 1,
                             static_cast<unsigned>(args.list.phases())),
                .block = dim3(kThreads),
                .stream = stream},
               conv_naive_kernel<T>, args);
}
template void conv_naive(const ConvPassArgs<float>&, KernelStream);
template void conv_naive(const ConvPassArgs<__nv_bfloat16>&, KernelStream);
template void conv_naive(const ConvPassArgs<__half>&, KernelStream);

template <class T>
void conv_wgrad_naive(const ConvWgradArgs<T>& args, KernelStream stream) {
  const int64_t sums = args.list.kh * args.list.kw * args.list.in.c * args.list.out.c;
  simt::launch({.name = "conv_wgrad_naive",
                .grid = dim3(blocks_for(sums * args.splits)),
                .block = dim3(kThreads),
                .stream = stream},
               conv_wgrad_naive_kernel<T>, args);
}
template void conv_wgrad_naive(const ConvWgradArgs<float>&, KernelStream);
template void conv_wgrad_naive(const ConvWgradArgs<__nv_bfloat16>&, KernelStream);
template void conv_wgrad_naive(const ConvWgradArgs<__half>&, KernelStream);

}  // namespace ebb::EBB_GPU_NAMESPACE
