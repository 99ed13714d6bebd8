#include "kernels/norm/group_norm.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "base/kernel_stream.h"
#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"
#include "kernels/norm/cpu/batch_norm_passes.h"
#include "kernels/pointwise/cpu/activate.h"

namespace ebb::cpu {

namespace {

void require_groups(const GroupNormSize& s) {
  EBB_CHECK(s.n >= 0 && s.pixels > 0 && s.c > 0 && s.groups > 0 && s.c % s.groups == 0, ShapeError,
            "cpu kernels: group_norm of [", s.n, ", ", s.pixels, ", ", s.c, "] in ", s.groups,
            " groups: the groups must divide the channels");
}

// Calls body(pixel offset + channel, channel) for the elements of group g of image n.
template <typename Body>
void for_each_in_group(const GroupNormSize& s, int64_t n, int64_t g, const Body& body) {
  const int64_t width = s.group_channels();
  for (int64_t p = 0; p < s.pixels; ++p) {
    const int64_t row = (n * s.pixels + p) * s.c;
    for (int64_t c = g * width; c < (g + 1) * width; ++c) body(row + c, c);
  }
}

// u = xh * slope + offset, the argument of the activation.
struct Affine {
  float grad, offset;

  Affine(const float* gamma, const float* beta, const float* scale, const float* shift, int64_t c,
         int64_t nc) {
    const float factor = scale == nullptr ? 1.0f : 1.0f + scale[nc];
    grad = gamma[c] * factor;
    offset = beta[c] * factor + (shift == nullptr ? 0.0f : shift[nc]);
  }
};

}  // namespace

int64_t group_norm_workspace_bytes(const GroupNormSize& s) {
  require_groups(s);
  return 2 * s.n * s.c * static_cast<int64_t>(sizeof(float));
}

namespace {

// Moments of one group.
struct Moments {
  double count = 0, mean = 0, squares = 0;  // squares: of the deviations from the mean

  // Both together (Chan, Golub & LeVeque 1979).
  void merge(const Moments& other) {
    const double all = count + other.count, delta = other.mean - mean;
    mean += delta * other.count / all;
    squares += other.squares + delta * delta * count * other.count / all;
    count = all;
  }
};

// Pixels whose channels are read at a time; by the size of a pixel alone.
int64_t chunk_pixels(const GroupNormSize& s) {
  return std::clamp<int64_t>(kElementChunk / s.c, 1, s.pixels);
}

// The moments of all groups of these pixels, read once: deviations from a value near the mean lose
// no digits, and the first pixel has one.
void chunk_moments(const GroupNormSize& s, int64_t pixels, const float* x, Moments* groups) {
  const int64_t width = s.group_channels();
  std::vector<float> floats(static_cast<size_t>(3 * s.c), 0.0f);
  float *const center = floats.data(), *const sum = center + s.c, *const squares = sum + s.c;
  for (int64_t c = 0; c < s.c; c += width) {
    const float mean = std::accumulate(x + c, x + c + width, 0.0f) / static_cast<float>(width);
    std::fill(center + c, center + c + width, mean);
  }
  sum_deviations({pixels, s.c, s.c}, x, center, sum, squares);
  for (int64_t g = 0; g < s.groups; ++g) {
    const auto total = [&](const float* of) {
      return std::accumulate(of + g * width, of + (g + 1) * width, 0.0);
    };
    const double count = static_cast<double>(pixels * width), deviation = total(sum) / count;
    groups[g] = {count, center[g * width] + deviation,
                 std::max(0.0, total(squares) - count * deviation * deviation)};
  }
}

// Affine maps of one image's channels: (x - mean) * scale + shift.
struct ImageAffine {
  std::vector<float> mean, scale, shift;  // [C]

  ImageAffine(const GroupNormForwardArgs& args, int64_t n, const Moments* groups)
      : mean(static_cast<size_t>(args.size.c)), scale(mean), shift(mean) {
    const GroupNormSize& s = args.size;
    for (int64_t c = 0; c < s.c; ++c) {
      const Moments& group = groups[c / s.group_channels()];
      const double rstd = 1 / std::sqrt(group.squares / group.count + args.eps);
      const Affine affine(args.gamma, args.beta, args.scale, args.shift, c, n * s.c + c);
      mean[c] = static_cast<float>(group.mean);
      scale[c] = static_cast<float>(rstd * affine.grad);
      shift[c] = static_cast<float>(affine.offset + (mean[c] - group.mean) * rstd * affine.grad);
    }
  }
};

}  // namespace

void group_norm_forward(const GroupNormForwardArgs& args, KernelStream stream) {
  require_f32("group_norm", args.dtype);
  const GroupNormSize& s = args.size;
  require_groups(s);
  const int64_t step = chunk_pixels(s), chunks = ceil_div(s.pixels, step);
  const auto pixels_of = [&](int64_t task) {
    return std::min(step, s.pixels - task % chunks * step);
  };
  const auto offset_of = [&](int64_t task) {
    return (task / chunks * s.pixels + task % chunks * step) * s.c;
  };
  std::vector<Moments> moments(static_cast<size_t>(s.n * chunks * s.groups));
  parallel_for(stream.threads, s.n * chunks, [&](int64_t task) {
    chunk_moments(s, pixels_of(task), as_f32(args.x) + offset_of(task), &moments[task * s.groups]);
  });
  std::vector<ImageAffine> images;
  for (int64_t n = 0; n < s.n; ++n) {
    Moments* const groups = &moments[n * chunks * s.groups];  // of the whole image from here on
    for (int64_t i = s.groups; i < chunks * s.groups; ++i) groups[i % s.groups].merge(groups[i]);
    images.emplace_back(args, n, groups);
    for (int64_t g = 0; g < s.groups; ++g) {
      const double variance = groups[g].squares / groups[g].count;
      if (args.mean != nullptr) args.mean[n * s.groups + g] = static_cast<float>(groups[g].mean);
      if (args.rstd != nullptr) {
        args.rstd[n * s.groups + g] = static_cast<float>(1 / std::sqrt(variance + args.eps));
      }
    }
  }
  parallel_for(stream.threads, s.n * chunks, [&](int64_t task) {
    const ImageAffine& image = images[task / chunks];
    apply_affine({pixels_of(task), s.c, s.c}, args.activation,
                 {image.mean.data(), image.scale.data(), image.shift.data()},
                 as_f32(args.x) + offset_of(task), as_f32(args.y) + offset_of(task));
  });
}

namespace {

// du and xh of one element.
struct Element {
  float du, xh;
};

Element element(const GroupNormBackwardArgs& args, int64_t task, int64_t i, int64_t c, int64_t nc) {
  const Affine affine(args.gamma, args.beta, args.scale, args.shift, c, nc);
  const float xh = (as_f32(args.x)[i] - args.mean[task]) * args.rstd[task];
  const float grad = activation_grad(args.activation, xh * affine.grad + affine.offset);
  return {as_f32(args.dy)[i] * grad, xh};
}

// a and b of the channels of one group; then dscale, dshift and dx.
void group_gradient(const GroupNormBackwardArgs& args, int64_t task, float* a, float* b) {
  const GroupNormSize& s = args.size;
  const int64_t n = task / s.groups, g = task % s.groups, width = s.group_channels();
  double mean_g = 0, mean_gx = 0;
  for (int64_t c = g * width; c < (g + 1) * width; ++c) {
    const int64_t nc = n * s.c + c;
    double sum = 0, product = 0;
    for (int64_t p = 0; p < s.pixels; ++p) {
      const Element e = element(args, task, (n * s.pixels + p) * s.c + c, c, nc);
      sum += e.du;
      product += static_cast<double>(e.du) * e.xh;
    }
    a[nc] = static_cast<float>(sum);
    b[nc] = static_cast<float>(product);
    const double factor = args.gamma[c] * (args.scale == nullptr ? 1.0 : 1.0 + args.scale[nc]);
    mean_g += factor * sum;
    mean_gx += factor * product;
    if (args.dshift != nullptr) args.dshift[nc] = static_cast<float>(sum);
    if (args.dscale != nullptr) {
      args.dscale[nc] = static_cast<float>(args.gamma[c] * product + args.beta[c] * sum);
    }
  }
  const double count = static_cast<double>(s.pixels * width);
  const float offset = static_cast<float>(mean_g / count);
  const float grad = static_cast<float>(mean_gx / count);
  for_each_in_group(s, n, g, [&](int64_t i, int64_t c) {
    const int64_t nc = n * s.c + c;
    const Element e = element(args, task, i, c, nc);
    const float factor = args.gamma[c] * (args.scale == nullptr ? 1.0f : 1.0f + args.scale[nc]);
    as_f32(args.dx)[i] = args.rstd[task] * (e.du * factor - offset - e.xh * grad);
  });
}

}  // namespace

int64_t group_norm_forward_workspace_bytes(const GroupNormSize& s) {
  require_groups(s);
  return 0;
}

void group_norm_backward(const GroupNormBackwardArgs& args, KernelStream stream) {
  require_f32("group_norm", args.dtype);
  const GroupNormSize& s = args.size;
  require_groups(s);
  float* a = static_cast<float*>(args.workspace);  // [N, C]
  float* b = a + s.n * s.c;                        // [N, C]
  parallel_for(stream.threads, s.n * s.groups,
               [&](int64_t task) { group_gradient(args, task, a, b); });
  parallel_chunks(stream.threads, s.c, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      double dbeta = 0, dgamma = 0;
      for (int64_t n = 0; n < s.n; ++n) {
        const int64_t nc = n * s.c + c;
        const double factor = args.scale == nullptr ? 1.0 : 1.0 + args.scale[nc];
        dbeta += factor * a[nc];
        dgamma += factor * b[nc];
      }
      args.dbeta[c] = static_cast<float>(dbeta);
      args.dgamma[c] = static_cast<float>(dgamma);
    }
  });
}

}  // namespace ebb::cpu
