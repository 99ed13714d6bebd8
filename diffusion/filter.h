#pragma once

#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"

namespace ebb {

// Linear filters of images, per channel or over channels. Parts of an image made with filters that
// sum to the identity can come from different prompts (Geng, Park, Owens, "Factorized Diffusion",
// 2024).

enum class BaseKind {
  kIdentity,
  kGaussian,  // separable, reflect padding: torchvision's gaussian_blur
  kMotion,    // mean of `taps` pixels along the diagonal, reflect padding
  kGray,      // every channel becomes the channels' mean
};

struct BaseFilter {
  BaseKind kind = BaseKind::kIdentity;
  int64_t taps = 1;  // kGaussian, kMotion: odd
  double sigma = 1;  // kGaussian: pixels

  friend bool operator==(const BaseFilter&, const BaseFilter&) = default;
};

// A weighted sum of base filters.
struct Filter {
  struct Term {
    double weight = 1;
    BaseFilter base;
  };
  std::vector<Term> terms{Term{}};  // the identity

  bool is_identity() const;
};

Filter low_pass(int64_t taps, double sigma);
Filter high_pass(int64_t taps, double sigma);  // identity - low_pass
Filter gray();
Filter color_residual();  // identity - gray
Filter motion_blur(int64_t taps);
Filter motion_residual(int64_t taps);
// Coarse, middle and fine: low_pass(sigma_far), low_pass(sigma_near) - low_pass(sigma_far),
// identity - low_pass(sigma_near).
std::vector<Filter> three_bands(int64_t taps, double sigma_near, double sigma_far);

// True when the filters, as formulas, sum to the identity.
bool sum_to_identity(std::span<const Filter> parts);

// The weights of torchvision's gaussian_blur: exp(-d^2 / (2 sigma^2)), normalized. [taps]
std::vector<double> gaussian_weights(int64_t taps, double sigma);

// The largest kernel that reflect padding allows on these images.
int64_t max_taps(int64_t height, int64_t width);

// One base filter ready for images of a device.
class BaseFilterRunner {
 public:
  BaseFilterRunner(Context& context, const BaseFilter& base);
  // x [N, H, W, C] -> y, which must not be x. ShapeError beyond max_taps().
  void run(const Tensor& x, const Tensor& y) const;

 private:
  void run_line(const Tensor& x, int64_t dy, int64_t dx, const Tensor& y) const;
  void run_gray(const Tensor& x, const Tensor& y) const;

  Context& context_;
  BaseFilter base_;
  Tensor weights_;  // [taps]
};

// A whole filter: y = sum over terms of weight * base(x). x [N, H, W, C]; returns a new tensor.
class FilterRunner {
 public:
  FilterRunner(Context& context, const Filter& filter);
  Tensor run(const Tensor& x) const;

 private:
  Context& context_;
  std::vector<BaseFilterRunner> bases_;
  Tensor weights_;  // [terms]
};

}  // namespace ebb
