#include <limits>

#include "kernels/cuda/elements.h"
#include "kernels/cuda/grid.h"
#include "kernels/cuda/reduce.h"
#include "kernels/norm/cuda/affine.h"
#include "kernels/norm/cuda/group_norm_split.h"
#include "kernels/norm/group_norm.h"
#include "kernels/pointwise/cuda/activate.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One block per image and group; its threads run over the group's elements in memory order. They
// count them in 32 bits: a division in 64 costs more than what is computed of an element.
struct Group {
  int64_t n, first_channel, first_offset, c;
  int width, count;

  SIMT_DEVICE Group(const GroupNormSize& s, int64_t task)
      : n(task / s.groups),
        first_channel(task % s.groups * s.group_channels()),
        first_offset(n * s.pixels * s.c + first_channel),
        c(s.c),
        width(static_cast<int>(s.group_channels())),
        count(static_cast<int>(s.pixels) * width) {}

  SIMT_DEVICE int64_t channel(int i) const { return first_channel + i % width; }
  SIMT_DEVICE int64_t offset(int i) const { return first_offset + i / width * c + i % width; }
};

// For groups that one block reads from a cache, and for channels that are not whole packs:
// group_norm_split.cu has the others.
template <class T, Activation kActivation>
__global__ void __launch_bounds__(kThreads) group_norm_forward_kernel(GroupNormForwardArgs args) {
  const T* x = static_cast<const T*>(args.x);
  T* y = static_cast<T*>(args.y);
  for (int64_t task = blockIdx.x; task < args.size.n * args.size.groups; task += gridDim.x) {
    const Group group(args.size, task);
    double sum = 0;
    for (int i = threadIdx.x; i < group.count; i += kThreads) sum += to_float(x[group.offset(i)]);
    const double mean = block_sum<kThreads>(sum) / static_cast<double>(group.count);
    // f32 around the f32 mean, then corrected for what rounding left of the mean.
    const float center = static_cast<float>(mean), rest = static_cast<float>(mean - center);
    float squares = 0;
    for (int i = threadIdx.x; i < group.count; i += kThreads) {
      const float deviation = to_float(x[group.offset(i)]) - center - rest;
      squares += deviation * deviation;
    }
    const double variance =
        block_sum<kThreads>(static_cast<double>(squares)) / static_cast<double>(group.count);
    const float rstd = static_cast<float>(1 / sqrt(variance + args.eps));
    for (int i = threadIdx.x; i < group.count; i += kThreads) {
      const int64_t c = group.channel(i), at = group.offset(i);
      const Affine affine =
          affine_of(args.gamma, args.beta, args.scale, args.shift, c, group.n * group.c + c);
      const float xh = (to_float(x[at]) - center - rest) * rstd;
      y[at] = from_float<T>(activate<kActivation>(xh * affine.grad + affine.offset));
    }
    if (threadIdx.x == 0) {
      if (args.mean != nullptr) args.mean[task] = center;
      if (args.rstd != nullptr) args.rstd[task] = rstd;
    }
  }
}

struct Element {
  float du, xh;
};

template <Activation kActivation, class T>
SIMT_DEVICE Element element(const GroupNormBackwardArgs& args, int64_t task, int64_t at, int64_t c,
                            int64_t nc) {
  const Affine affine = affine_of(args.gamma, args.beta, args.scale, args.shift, c, nc);
  const float xh =
      (to_float(static_cast<const T*>(args.x)[at]) - args.mean[task]) * args.rstd[task];
  const float grad = activation_grad<kActivation>(xh * affine.grad + affine.offset);
  return {to_float(static_cast<const T*>(args.dy)[at]) * grad, xh};
}

constexpr int kSumChannels = 32, kSumRows = 8;

// a and b of 32 channels of one image, and from them dscale and dshift. Four blocks per SM: ptxas
// without the bound spills registers to fit a fifth.
template <class T, Activation kActivation>
__global__ void __launch_bounds__(kSumChannels* kSumRows, 4)
    group_norm_sums_kernel(GroupNormBackwardArgs args, float* a, float* b) {
  SIMT_SHARED(double, partial, [2][kSumRows][kSumChannels]);
  const GroupNormSize& s = args.size;
  const int64_t c = int64_t{blockIdx.x} * kSumChannels + threadIdx.x;
  const int64_t group = static_cast<int>(c) / static_cast<int>(s.group_channels());
  for (int64_t n = blockIdx.y; n < s.n; n += gridDim.y) {
    double sum = 0, product = 0;
    const int64_t nc = n * s.c + c;
    if (c < s.c) {
      const int64_t task = n * s.groups + group;
      for (int64_t p = threadIdx.y; p < s.pixels; p += kSumRows) {
        const Element e = element<kActivation, T>(args, task, (n * s.pixels + p) * s.c + c, c, nc);
        sum += e.du;
        product += static_cast<double>(e.du) * e.xh;
      }
    }
    __syncthreads();  // the sums of the previous image may still be read
    partial[0][threadIdx.y][threadIdx.x] = sum;
    partial[1][threadIdx.y][threadIdx.x] = product;
    __syncthreads();
    if (threadIdx.y == 0 && c < s.c) {
      for (int row = 1; row < kSumRows; ++row) {
        sum += partial[0][row][threadIdx.x];
        product += partial[1][row][threadIdx.x];
      }
      a[nc] = static_cast<float>(sum);
      b[nc] = static_cast<float>(product);
      if (args.dshift != nullptr) args.dshift[nc] = static_cast<float>(sum);
      if (args.dscale != nullptr) {
        args.dscale[nc] = static_cast<float>(args.gamma[c] * product + args.beta[c] * sum);
      }
    }
  }
}

SIMT_DEVICE float gradient_factor(const GroupNormBackwardArgs& args, int64_t c, int64_t nc) {
  return args.gamma[c] * (args.scale == nullptr ? 1.0f : 1.0f + args.scale[nc]);
}

// dx of one image and group. dx may be dy.
template <class T, Activation kActivation>
__global__ void __launch_bounds__(kThreads)
    group_norm_input_kernel(GroupNormBackwardArgs args, const float* a, const float* b) {
  for (int64_t task = blockIdx.x; task < args.size.n * args.size.groups; task += gridDim.x) {
    const Group group(args.size, task);
    double sum = 0, product = 0;
    for (int i = threadIdx.x; i < group.width; i += kThreads) {
      const int64_t c = group.first_channel + i, nc = group.n * group.c + c;
      const double factor = gradient_factor(args, c, nc);
      sum += factor * a[nc];
      product += factor * b[nc];
    }
    const double count = static_cast<double>(group.count);
    const float offset = static_cast<float>(block_sum<kThreads>(sum) / count);
    const float grad = static_cast<float>(block_sum<kThreads>(product) / count);
    for (int i = threadIdx.x; i < group.count; i += kThreads) {
      const int64_t c = group.channel(i), nc = group.n * group.c + c, at = group.offset(i);
      const Element e = element<kActivation, T>(args, task, at, c, nc);
      const float gradient = e.du * gradient_factor(args, c, nc) - offset - e.xh * grad;
      static_cast<T*>(args.dx)[at] = from_float<T>(args.rstd[task] * gradient);
    }
  }
}

// Division of the images for the sums of dgamma and dbeta: LayerNorm has thousands.
struct ImageChunks {
  int64_t images_of_one, count;

  explicit ImageChunks(int64_t n) {
    constexpr int64_t kMinImages = 64, kMaxChunks = 256;
    images_of_one = std::max(kMinImages, ceil_div(n, kMaxChunks));
    count = ceil_div(n, images_of_one);
  }
};

// sums[chunk, 0, c] of dbeta and sums[chunk, 1, c] of dgamma. threadIdx.x: channel, threadIdx.y:
// every 8th image of the chunk.
__global__ void __launch_bounds__(kSumChannels* kSumRows)
    group_norm_params_kernel(GroupNormBackwardArgs args, ImageChunks chunks, const float* a,
                             const float* b, double* sums) {
  SIMT_SHARED(double, partial, [2][kSumRows][kSumChannels]);
  const int64_t channels = args.size.c;
  const int64_t c = int64_t{blockIdx.x} * kSumChannels + threadIdx.x;
  const int64_t first = blockIdx.y * chunks.images_of_one;
  const int64_t last = min(first + chunks.images_of_one, args.size.n);
  double dbeta = 0, dgamma = 0;
  for (int64_t n = first + threadIdx.y; c < channels && n < last; n += kSumRows) {
    const int64_t nc = n * channels + c;
    const double factor = args.scale == nullptr ? 1.0 : 1.0 + args.scale[nc];
    dbeta += factor * a[nc];
    dgamma += factor * b[nc];
  }
  partial[0][threadIdx.y][threadIdx.x] = dbeta;
  partial[1][threadIdx.y][threadIdx.x] = dgamma;
  __syncthreads();
  if (threadIdx.y != 0 || c >= channels) return;
  for (int row = 1; row < kSumRows; ++row) {
    dbeta += partial[0][row][threadIdx.x];
    dgamma += partial[1][row][threadIdx.x];
  }
  double* chunk = sums + blockIdx.y * 2 * channels;
  chunk[c] = dbeta;
  chunk[channels + c] = dgamma;
}

// Adds the chunks, in order.
__global__ void __launch_bounds__(kThreads)
    group_norm_add_kernel(int64_t channels, int64_t chunks, const double* sums, float* dbeta,
                          float* dgamma) {
  for (int64_t i = global_thread(); i < 2 * channels; i += global_threads()) {
    double sum = 0;
    for (int64_t chunk = 0; chunk < chunks; ++chunk) sum += sums[chunk * 2 * channels + i];
    (i < channels ? dbeta[i] : dgamma[i - channels]) = static_cast<float>(sum);
  }
}

void require_groups(const GroupNormSize& s) {
  EBB_CHECK(s.n >= 0 && s.pixels > 0 && s.c > 0 && s.groups > 0 && s.c % s.groups == 0, ShapeError,
            "cuda kernels: group_norm of [", s.n, ", ", s.pixels, ", ", s.c, "] in ", s.groups,
            " groups: the groups must divide the channels");
  constexpr int64_t kMax = std::numeric_limits<int32_t>::max() / 2;
  EBB_CHECK(s.c <= kMax && s.pixels <= kMax / s.group_channels(), ShapeError,
            "cuda kernels: group_norm of groups of ", s.pixels, " x ", s.group_channels(),
            " numbers, at most ", kMax, ". Use more groups");
}

}  // namespace

int64_t group_norm_workspace_bytes(const GroupNormSize& s) {
  require_groups(s);
  const int64_t sums = ImageChunks(s.n).count * 2 * s.c * static_cast<int64_t>(sizeof(double));
  return sums + 2 * s.n * s.c * static_cast<int64_t>(sizeof(float));
}

int64_t group_norm_forward_workspace_bytes(const GroupNormSize& s) {
  require_groups(s);
  return GroupNormPlan(s).workspace_bytes();
}

void group_norm_forward(const GroupNormForwardArgs& args, KernelStream stream) {
  require_groups(args.size);
  const GroupNormPlan plan(args.size);
  if (plan.splits() && group_norm_has_packs(args)) {
    return group_norm_split_forward(plan, args, stream);
  }
  for_dtype("group_norm", args.dtype, [&](auto type) {
    for_activation(args.activation, [&](auto tag) {
      simt::launch({.name = "group_norm_forward",
                    .grid = dim3(blocks_for(args.size.n * args.size.groups, 1)),
                    .block = dim3(kThreads),
                    .stream = stream},
                   group_norm_forward_kernel<decltype(type), decltype(tag)::value>, args);
    });
  });
}

void group_norm_backward(const GroupNormBackwardArgs& args, KernelStream stream) {
  const GroupNormSize& s = args.size;
  require_groups(s);
  const ImageChunks chunks(s.n);
  double* sums = static_cast<double*>(args.workspace);                 // [chunks, 2, C]
  float* a = reinterpret_cast<float*>(sums + chunks.count * 2 * s.c);  // [N, C]
  float* b = a + s.n * s.c;                                            // [N, C]
  for_dtype("group_norm", args.dtype, [&](auto type) {
    using T = decltype(type);
    for_activation(args.activation, [&](auto tag) {
      constexpr Activation kActivation = decltype(tag)::value;
      simt::launch({.name = "group_norm_sums",
                    .grid = dim3(static_cast<unsigned>(ceil_div(s.c, kSumChannels)), rows_for(s.n)),
                    .block = dim3(kSumChannels, kSumRows),
                    .stream = stream},
                   group_norm_sums_kernel<T, kActivation>, args, a, b);
      simt::launch({.name = "group_norm_input",
                    .grid = dim3(blocks_for(s.n * s.groups, 1)),
                    .block = dim3(kThreads),
                    .stream = stream},
                   group_norm_input_kernel<T, kActivation>, args, a, b);
    });
  });
  simt::launch({.name = "group_norm_params",
                .grid = dim3(static_cast<unsigned>(ceil_div(s.c, kSumChannels)),
                             static_cast<unsigned>(chunks.count)),
                .block = dim3(kSumChannels, kSumRows),
                .stream = stream},
               group_norm_params_kernel, args, chunks, a, b, sums);
  simt::launch({.name = "group_norm_add",
                .grid = dim3(blocks_for(2 * s.c)),
                .block = dim3(kThreads),
                .stream = stream},
               group_norm_add_kernel, s.c, chunks.count, sums, args.dbeta, args.dgamma);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
