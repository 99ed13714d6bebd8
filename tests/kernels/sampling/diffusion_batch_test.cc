#include "kernels/sampling/diffusion_batch.h"

#include <array>
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

constexpr std::array kTasks = {DiffusionTask::kDenoise, DiffusionTask::kPureNoise,
                               DiffusionTask::kDdpm, DiffusionTask::kFlow};
constexpr int64_t kImages = 9, kPixels = 29, kClasses = 10, kTimesteps = 50;
constexpr float kSigma = 0.4f, kDrop = 0.3f;
constexpr uint64_t kSeed = 2024;

struct Dataset {
  std::vector<uint8_t> images = RandomData(1).bytes(kImages * kPixels);
  std::vector<uint8_t> labels;
  std::vector<float> alpha_bar;

  Dataset() {
    for (int64_t i = 0; i < kImages; ++i) labels.push_back(static_cast<uint8_t>((7 * i) % 10));
    for (int64_t k = 0; k < kTimesteps; ++k) {
      alpha_bar.push_back(std::exp(-0.1f * static_cast<float>(k + 1)));
    }
  }
};

struct Batch {
  std::vector<float> input, target, t, c;
};

Batch draw(const Dataset& data, DiffusionTask task, uint64_t first_example,
           const std::vector<int32_t>& indices, int threads = 1, float drop = kDrop) {
  const size_t n = indices.size();
  Batch batch = {std::vector<float>(n * kPixels, NAN), std::vector<float>(n * kPixels, NAN),
                 std::vector<float>(n, NAN), std::vector<float>(n * kClasses, NAN)};
  const std::vector<uint64_t> first{first_example};
  KernelCall call;
  call.run(
      &KernelTable::diffusion_batch,
      {task, kSeed, call.in(first), static_cast<int64_t>(n), kPixels, kClasses, kSigma, kTimesteps,
       drop, call.in(data.images), call.in(data.labels), call.in(indices), call.in(data.alpha_bar),
       call.out(batch.input), call.out(batch.target), call.out(batch.t), call.out(batch.c)},
      threads);
  return batch;
}

uint32_t word_of(RandomStream stream, uint64_t example) {
  return random_words(kSeed, stream, example, 0, 0).w[0];
}

double epsilon(uint64_t example, int64_t p) {
  const PhiloxWords words =
      random_words(kSeed, RandomStream::kNoise, example, 0, static_cast<uint32_t>(p / 4));
  const int64_t first = p % 4 / 2 * 2;
  const NormalPair pair = normals_from_words(words.w[first], words.w[first + 1]);
  return p % 2 == 0 ? pair.first : pair.second;
}

// One example in double, from the formulas of kernels/sampling/diffusion_batch.h.
struct Example {
  std::vector<double> input, target;
  double t = 0;
};

Example expected_example(const Dataset& data, DiffusionTask task, uint64_t example, int32_t index) {
  Example result;
  const uint32_t word = word_of(RandomStream::kTimestep, example);
  const uint32_t k = below_from_word(word, kTimesteps);
  const double u = uniform_from_word(word), ab = data.alpha_bar[k];
  if (task == DiffusionTask::kDdpm) result.t = (k + 1.0) / kTimesteps;
  if (task == DiffusionTask::kFlow) result.t = u;
  for (int64_t p = 0; p < kPixels; ++p) {
    const double x0 = data.images[index * kPixels + p] / 255.0, eps = epsilon(example, p);
    switch (task) {
      case DiffusionTask::kDenoise:
        result.input.push_back(x0 + kSigma * eps);
        result.target.push_back(x0);
        break;
      case DiffusionTask::kPureNoise:
        result.input.push_back(eps);
        result.target.push_back(x0);
        break;
      case DiffusionTask::kDdpm:
        result.input.push_back(std::sqrt(ab) * x0 + std::sqrt(1 - ab) * eps);
        result.target.push_back(eps);
        break;
      case DiffusionTask::kFlow:
        result.input.push_back((1 - u) * eps + u * x0);
        result.target.push_back(x0 - eps);
        break;
    }
  }
  return result;
}

TEST_CASE("diffusion_batch: draws the examples of each task", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const DiffusionTask task = GENERATE(from_range(kTasks));
  CAPTURE(backend.name(), static_cast<int>(task));
  const Dataset data;
  const std::vector<int32_t> indices = {4, 0, 8, 8, 3};
  const uint64_t first = 60000;
  const Batch batch = draw(data, task, first, indices);
  for (size_t j = 0; j < indices.size(); ++j) {
    CAPTURE(j);
    const Example expected = expected_example(data, task, first + j, indices[j]);
    // At most four roundings of numbers below 1 + |eps| < 8.
    const Tolerance tolerance = {4 * 8 * kEps32, 0};
    CHECK(compare(std::span(batch.input).subspan(j * kPixels, kPixels), expected.input,
                  tolerance) == "");
    CHECK(compare(std::span(batch.target).subspan(j * kPixels, kPixels), expected.target,
                  tolerance) == "");
    CHECK(compare(std::span(batch.t).subspan(j, 1), std::span(&expected.t, 1), {0, kEps32}) == "");

    const bool dropped = uniform_from_word(word_of(RandomStream::kDrop, first + j)) < kDrop;
    for (int64_t k = 0; k < kClasses; ++k) {
      const bool hot = !dropped && data.labels[indices[j]] == k;
      CHECK(batch.c[j * kClasses + k] == (hot ? 1.0f : 0.0f));
    }
  }
}

TEST_CASE("diffusion_batch: an example does not depend on its batch nor on threads", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const DiffusionTask task = GENERATE(from_range(kTasks));
  const Dataset data;
  const std::vector<int32_t> indices = {4, 0, 8, 8, 3, 1, 7};
  const Batch batch = draw(data, task, 100, indices);
  // The emulator's kernels give the CPU's bits.
  for (int threads : kThreadCounts) {
    const Batch same = draw(data, task, 100, indices, threads);
    CHECK(compare_bits(same.input, batch.input) == "");
    CHECK(compare_bits(same.target, batch.target) == "");
    CHECK(compare_bits(same.t, batch.t) == "");
    CHECK(compare_bits(same.c, batch.c) == "");
  }
  const Batch alone = draw(data, task, 105, {1});
  CHECK(compare_bits(alone.input, std::span(batch.input).subspan(5 * kPixels, kPixels)) == "");
  CHECK(compare_bits(alone.target, std::span(batch.target).subspan(5 * kPixels, kPixels)) == "");
  CHECK(compare_bits(alone.t, std::span(batch.t).subspan(5, 1)) == "");
  CHECK(compare_bits(alone.c, std::span(batch.c).subspan(5 * kClasses, kClasses)) == "");
}

TEST_CASE("diffusion_batch: the same image gets fresh noise in the next epoch", "[kernels]") {
  const Dataset data;
  const Batch first = draw(data, DiffusionTask::kDenoise, 0, {2});
  const Batch second = draw(data, DiffusionTask::kDenoise, 60000, {2});
  CHECK(compare_bits(first.target, second.target) == "");
  CHECK(compare_bits(first.input, second.input) != "");
}

TEST_CASE("diffusion_batch: timesteps are uniform over 1/T..1", "[kernels]") {
  const Dataset data;
  constexpr int kDraws = 20000;
  const Batch batch = draw(data, DiffusionTask::kDdpm, 0, std::vector<int32_t>(kDraws, 1));
  std::vector<int> counts(kTimesteps + 1);
  for (float t : batch.t) ++counts.at(static_cast<size_t>(std::lround(t * kTimesteps)));
  CHECK(counts[0] == 0);
  const double expected = static_cast<double>(kDraws) / kTimesteps;
  double chi_squared = 0;
  for (int64_t k = 1; k <= kTimesteps; ++k) {
    chi_squared += std::pow(counts[k] - expected, 2) / expected;
  }
  CHECK(chi_squared < 85.4);  // exceeded with probability 0.001 at 49 degrees of freedom
}

TEST_CASE("diffusion_batch: classes are dropped with the given probability", "[kernels]") {
  const Dataset data;
  constexpr int kDraws = 20000;
  const float drop = GENERATE(0.0f, 0.1f, 1.0f);
  const Batch batch = draw(data, DiffusionTask::kFlow, 0, std::vector<int32_t>(kDraws, 1), 1, drop);
  double kept = 0;
  for (float c : batch.c) kept += c;
  const double deviation = std::sqrt(kDraws * drop * (1 - drop));
  CHECK(std::fabs(kDraws - kept - kDraws * drop) <= 4 * deviation);
}

TEST_CASE("diffusion_batch: unused outputs may be null", "[kernels]") {
  const TestBackend backend(GENERATE(from_range(test_backends())));
  const Dataset data;
  const std::vector<int32_t> indices = {2, 5};
  const std::vector<uint64_t> first{3};
  const Batch expected = draw(data, DiffusionTask::kDenoise, 3, indices);
  std::vector<float> input(2 * kPixels, NAN), target(2 * kPixels, NAN);
  KernelCall call;
  call.run(&KernelTable::diffusion_batch,
           {DiffusionTask::kDenoise, kSeed, call.in(first), 2, kPixels, 0, kSigma, 0, 0,
            call.in(data.images), nullptr, call.in(indices), nullptr, call.out(input),
            call.out(target), nullptr, nullptr});
  CHECK(compare_bits(input, expected.input) == "");
  CHECK(compare_bits(target, expected.target) == "");
}

}  // namespace
}  // namespace ebb::test
