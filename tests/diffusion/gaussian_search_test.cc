#include "diffusion/gaussian_search.h"

#include <random>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

std::vector<float> noise(size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(random);
  return values;
}

TEST_CASE("the candidates fit the image") {
  const auto all = blur_candidates(28, 28);
  CHECK(all.size() == 9 * 9);
  // A reflected border is at most one less than the image: 2 * 7 - 1.
  for (const BlurResult& blur : blur_candidates(7, 28)) CHECK(blur.taps <= 13);
}

TEST_CASE("the widest blur wins on noise about a plain image, the narrowest on a clean one") {
  const auto context = test::cpu_context();
  const std::vector<float> values = noise(28 * 28, 1);
  const Tensor x = test::tensor_of(*context, {1, 28, 28, 1}, values);
  const std::vector<float> plain(28 * 28, 0.0f);
  const BlurResult wide = best_blur(try_blurs(*context, x, plain, blur_candidates(28, 28)));
  CHECK((wide.taps == 25 && wide.sigma == 4));
  const BlurResult narrow = best_blur(try_blurs(*context, x, values, blur_candidates(28, 28)));
  CHECK((narrow.taps == 3 && narrow.sigma == 0.5));
}

TEST_CASE("the error is the mean over all images of a batch") {
  const std::vector<float> original = {1, 2};
  const std::vector<float> values = {1, 2, 4, 2, 1, -2};
  CHECK(mse_from_image(values, original) == (9.0 + 16.0) / 6);
}

}  // namespace
}  // namespace ebb
