#include "diffusion/gaussian_search.h"

#include <algorithm>

#include "base/error.h"
#include "diffusion/filter.h"

namespace ebb {

std::vector<BlurResult> blur_candidates(int64_t height, int64_t width) {
  std::vector<BlurResult> candidates;
  for (const int64_t taps : {3, 5, 7, 9, 11, 13, 15, 21, 25}) {
    if (taps > max_taps(height, width)) break;
    for (const double sigma : {0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0}) {
      candidates.push_back({taps, sigma, 0});
    }
  }
  return candidates;
}

double mse_from_image(std::span<const float> values, std::span<const float> original) {
  double sum = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double difference = double{values[i]} - double{original[i % original.size()]};
    sum += difference * difference;
  }
  return sum / static_cast<double>(values.size());
}

std::vector<BlurResult> try_blurs(Context& context, const Tensor& x,
                                  std::span<const float> original,
                                  std::vector<BlurResult> candidates) {
  for (BlurResult& candidate : candidates) {
    const FilterRunner blur(context, low_pass(candidate.taps, candidate.sigma));
    candidate.mse = mse_from_image(blur.run(x).to_host(), original);
  }
  return candidates;
}

const BlurResult& best_blur(std::span<const BlurResult> results) {
  EBB_CHECK(!results.empty(), ShapeError, "blur: the image is smaller than every kernel");
  return *std::min_element(results.begin(), results.end(),
                           [](const BlurResult& a, const BlurResult& b) { return a.mse < b.mse; });
}

}  // namespace ebb
