#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/tensor.h"

namespace ebb {

// A Gaussian blur and how far its result is from the original.
struct BlurResult {
  int64_t taps = 0;
  double sigma = 0;
  double mse = 0;  // mean over all values
};

// Kernels of 3, 5, ..., 15, 21, 25 taps as far as the image allows, each with sigma 0.5, 0.75, 1,
// 1.25, 1.5, 2, 2.5, 3 and 4.
std::vector<BlurResult> blur_candidates(int64_t height, int64_t width);

// Blurs x [N, H, W, C] with each candidate, torchvision's gaussian_blur, and fills in the error
// against `original`, one image [H, W, C] for all.
std::vector<BlurResult> try_blurs(Context& context, const Tensor& x,
                                  std::span<const float> original,
                                  std::vector<BlurResult> candidates);

// The result with the smallest error; the first of several.
const BlurResult& best_blur(std::span<const BlurResult> results);

// Mean squared difference of values [N, H, W, C] from one image.
double mse_from_image(std::span<const float> values, std::span<const float> original);

}  // namespace ebb
