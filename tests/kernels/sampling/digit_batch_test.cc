#include "kernels/sampling/digit_batch.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "kernels/random/philox.h"
#include "testing/backend.h"
#include "testing/catch.h"
#include "testing/compare.h"
#include "testing/cpu_stream.h"
#include "testing/random_data.h"

namespace ebb::test {
namespace {

constexpr int64_t kImages = 7, kHeight = 9, kWidth = 12, kPixels = kHeight * kWidth;
constexpr int64_t kClasses = 10;
constexpr uint64_t kSeed = 2025;

struct Dataset {
  std::vector<uint8_t> images = RandomData(1).bytes(kImages * kPixels);
  std::vector<uint8_t> labels{3, 1, 4, 1, 5, 9, 2};
};

struct Limits {
  float shift = 0, tangent = 0;
};

struct Batch {
  std::vector<float> input, target;
};

Batch draw(const Dataset& data, Limits limits, uint64_t first_example,
           const std::vector<int32_t>& indices, int threads = 1) {
  const size_t n = indices.size();
  Batch batch{std::vector<float>(n * kPixels, NAN), std::vector<float>(n * kClasses, NAN)};
  const std::vector<uint64_t> first{first_example};
  KernelCall call;
  call.run(&KernelTable::digit_batch,
           {kSeed, call.in(first), static_cast<int64_t>(n), kHeight, kWidth, kClasses, limits.shift,
            limits.tangent, call.in(data.images), call.in(data.labels), call.in(indices),
            call.out(batch.input), call.out(batch.target)},
           threads);
  return batch;
}

// One example in double: the angle by the library's functions, interpolation as a sum over all
// pixels of the image weighted by the tent max(0, 1 - |distance|) in each direction.
std::vector<double> expected_example(const Dataset& data, Limits limits, uint64_t example,
                                     int32_t index) {
  const PhiloxWords words = random_words(kSeed, RandomStream::kAugment, example, 0, 0);
  const auto symmetric = [&](int word) { return 2.0 * uniform_from_word(words.w[word]) - 1; };
  const double angle = 2 * std::atan(limits.tangent * symmetric(0));
  const double dx = limits.shift * symmetric(1), dy = limits.shift * symmetric(2);
  const double cy = (kHeight - 1) / 2.0, cx = (kWidth - 1) / 2.0;
  std::vector<double> result;
  for (int64_t i = 0; i < kHeight; ++i) {
    for (int64_t j = 0; j < kWidth; ++j) {
      const double down = i - cy - dy, right = j - cx - dx;
      const double y = cy + std::cos(angle) * down - std::sin(angle) * right;
      const double x = cx + std::sin(angle) * down + std::cos(angle) * right;
      double value = 0;
      for (int64_t p = 0; p < kPixels; ++p) {
        const double tent_y = std::max(0.0, 1 - std::fabs(y - static_cast<double>(p / kWidth)));
        const double tent_x = std::max(0.0, 1 - std::fabs(x - static_cast<double>(p % kWidth)));
        value += tent_y * tent_x * data.images[index * kPixels + p] / 255;
      }
      result.push_back(value);
    }
  }
  return result;
}

TEST_CASE("digit_batch: images are turned and shifted as the contract says", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Dataset data;
  const std::vector<int32_t> indices{6, 0, 0, 3, 5};
  for (const Limits limits :
       {Limits{0, 0}, Limits{2.5f, 0}, Limits{0, 0.3f}, Limits{1.5f, 0.2f}, Limits{20, 1}}) {
    for (const uint64_t first : {uint64_t{0}, uint64_t{100}, uint64_t{1} << 40}) {
      const Batch batch = draw(data, limits, first, indices);
      std::vector<double> expected;
      for (size_t j = 0; j < indices.size(); ++j) {
        for (double v : expected_example(data, limits, first + j, indices[j])) {
          expected.push_back(v);
        }
      }
      CAPTURE(limits.shift, limits.tangent, first);
      // Source positions are sums of numbers up to 30, about 8 roundings: 30 * 8 * 2^-24 = 1.4e-5
      // pixels; the interpolation changes by at most 1 per pixel in each direction.
      CHECK(compare(batch.input, expected, {3e-5, 0}) == "");
    }
  }
}

TEST_CASE("digit_batch: without shift and turn images are exact", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Dataset data;
  const std::vector<int32_t> indices{2, 4};
  const Batch batch = draw(data, {}, 5, indices);
  for (size_t j = 0; j < indices.size(); ++j) {
    for (int64_t p = 0; p < kPixels; ++p) {
      REQUIRE(batch.input[j * kPixels + p] ==
              static_cast<float>(data.images[indices[j] * kPixels + p]) / 255.0f);
    }
  }
}

TEST_CASE("digit_batch: targets are the labels' one-hot rows", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Dataset data;
  const std::vector<int32_t> indices{6, 0, 5};
  const Batch batch = draw(data, {1, 0.1f}, 0, indices);
  for (size_t j = 0; j < indices.size(); ++j) {
    for (int64_t k = 0; k < kClasses; ++k) {
      CHECK(batch.target[j * kClasses + k] == (data.labels[indices[j]] == k ? 1.0f : 0.0f));
    }
  }
}

TEST_CASE("digit_batch: an example is the same in any batch and on any number of threads",
          "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Dataset data;
  const Limits limits{2, 0.1f};
  const std::vector<int32_t> indices{1, 2, 3, 4};
  const Batch batch = draw(data, limits, 10, indices);
  for (int threads : kThreadCounts) {
    CHECK(compare_bits(draw(data, limits, 10, indices, threads).input, batch.input) == "");
  }
  const Batch alone = draw(data, limits, 12, {3});
  CHECK(compare_bits(alone.input,
                     std::span<const float>(batch.input).subspan(2 * kPixels, kPixels)) == "");
  CHECK(draw(data, limits, 13, {3}).input != alone.input);
}

}  // namespace
}  // namespace ebb::test
