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

// Coefficients of one image's channels, [C] each, and the sums of its backward pass.
struct ImageGradient {
  std::vector<float> mean, scale, shift;    // u = (x - mean) * scale + shift
  std::vector<double> du_sum, product_sum;  // of du, and of du * (x - mean)
  std::vector<float> offset, grad;          // dx = scale * du - offset - grad * (x - mean)

  ImageGradient(const GroupNormBackwardArgs& args, int64_t n)
      : mean(static_cast<size_t>(args.size.c)),
        scale(mean),
        shift(mean),
        du_sum(mean.size()),
        product_sum(mean.size()),
        offset(mean),
        grad(mean) {
    const GroupNormSize& s = args.size;
    for (int64_t c = 0; c < s.c; ++c) {
      const int64_t group = n * s.groups + c / s.group_channels();
      const Affine affine(args.gamma, args.beta, args.scale, args.shift, c, n * s.c + c);
      mean[c] = args.mean[group];
      scale[c] = args.rstd[group] * affine.grad;
      shift[c] = affine.offset;
    }
  }

  ChannelAffine affine() const { return {mean.data(), scale.data(), shift.data()}; }
};

// a and b of the channels of image n, dscale, dshift, and the coefficients of dx.
void finish_image(const GroupNormBackwardArgs& args, int64_t n, ImageGradient& image, float* a,
                  float* b) {
  const GroupNormSize& s = args.size;
  const int64_t width = s.group_channels();
  for (int64_t g = 0; g < s.groups; ++g) {
    const double rstd = args.rstd[n * s.groups + g];
    double mean_g = 0, mean_gx = 0;
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      const int64_t nc = n * s.c + c;
      const double sum = image.du_sum[c], product = rstd * image.product_sum[c];
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
    for (int64_t c = g * width; c < (g + 1) * width; ++c) {
      image.offset[c] = static_cast<float>(rstd * mean_g / count);
      image.grad[c] = static_cast<float>(rstd * rstd * mean_gx / count);
    }
  }
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
  const int64_t step = chunk_pixels(s), chunks = ceil_div(s.pixels, step);
  const auto rows_of = [&](int64_t task) {
    return ChannelRows{std::min(step, s.pixels - task % chunks * step), s.c, s.c};
  };
  const auto offset_of = [&](int64_t task) {
    return (task / chunks * s.pixels + task % chunks * step) * s.c;
  };
  std::vector<ImageGradient> images;
  for (int64_t n = 0; n < s.n; ++n) images.emplace_back(args, n);
  std::vector<float> sums(static_cast<size_t>(s.n * chunks * 2 * s.c));  // of each chunk
  parallel_for(stream.threads, s.n * chunks, [&](int64_t task) {
    float* const sum = &sums[task * 2 * s.c];
    activation_gradients(rows_of(task), args.activation, images[task / chunks].affine(),
                         as_f32(args.x) + offset_of(task), as_f32(args.dy) + offset_of(task),
                         as_f32(args.dx) + offset_of(task), sum, sum + s.c);
  });
  parallel_for(stream.threads, s.n, [&](int64_t n) {
    for (int64_t chunk = n * chunks; chunk < (n + 1) * chunks; ++chunk) {
      const float* const sum = &sums[chunk * 2 * s.c];
      for (int64_t c = 0; c < s.c; ++c) {
        images[n].du_sum[c] += sum[c];
        images[n].product_sum[c] += sum[s.c + c];
      }
    }
    finish_image(args, n, images[n], a, b);
  });
  parallel_for(stream.threads, s.n * chunks, [&](int64_t task) {
    const ImageGradient& image = images[task / chunks];
    norm_gradients(rows_of(task), image.mean.data(), image.scale.data(), image.offset.data(),
                   image.grad.data(), as_f32(args.x) + offset_of(task),
                   as_f32(args.dx) + offset_of(task));
  });
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
