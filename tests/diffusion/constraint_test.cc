#include "diffusion/constraint.h"

#include "diffusion/pipeline.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"

namespace ebb {
namespace {

constexpr int64_t kPixels = 28 * 28;

struct Setup {
  std::unique_ptr<Context> context = test::cpu_context();
  test::RandomData random{6};
  Shape shape{3, 6, 5, 2};
  Tensor x = test::normal_tensor(*context, shape, random);
  ImageNoise noise{*context, 11};
  NoiseLevel level = timestep_level(Objective{}, 120);

  Tensor noise_of(int64_t move) const {
    const Tensor z = Tensor::empty(*context, shape);
    noise.reference(move, z);
    return z;
  }
};

TEST_CASE("known pixels are the original with noise of the level, new ones stay") {
  Setup setup;
  const std::vector<float> mask_values = [&] {
    std::vector<float> values;
    for (int64_t i = 0; i < 60; ++i) values.push_back(i % 3 == 0 ? 1.0f : 0.0f);
    return values;
  }();
  const Tensor mask = test::tensor_of(*setup.context, {1, 6, 5, 2}, mask_values);
  const Tensor original = test::normal_tensor(*setup.context, {1, 6, 5, 2}, setup.random);
  InpaintConstraint constraint(*setup.context, mask, original);
  constraint.begin(0, 3);
  const std::vector<float> before = setup.x.to_host(), z = setup.noise_of(4).to_host(),
                           known = original.to_host();
  constraint.after_step(setup.level, 4, setup.noise, setup.x);
  std::vector<double> expected;
  for (size_t i = 0; i < before.size(); ++i) {
    const double noisy = setup.level.signal() * known[i % 60] + setup.level.noise() * z[i];
    expected.push_back(mask_values[i % 60] == 1 ? before[i] : noisy);
  }
  CHECK(test::compare(setup.x.to_host(), expected, {.absolute = 1e-6}) == "");
  constraint.at_end(setup.x);
  const std::vector<float> after = setup.x.to_host();
  for (size_t i = 0; i < after.size(); ++i) {
    if (mask_values[i % 60] == 0) REQUIRE(after[i] == known[i % 60]);
  }
}

TEST_CASE("a known part replaces its band and leaves the rest") {
  Setup setup;
  const Tensor reference = test::normal_tensor(*setup.context, {1, 6, 5, 2}, setup.random);
  BandConstraint constraint(*setup.context, low_pass(5, 1.5), reference);
  constraint.begin(0, 3);
  const Tensor before = Tensor::empty(*setup.context, setup.shape);
  before.copy_from(setup.x);
  constraint.after_step(setup.level, 2, setup.noise, setup.x);
  const FilterRunner low(*setup.context, low_pass(5, 1.5)), high(*setup.context, high_pass(5, 1.5));
  const std::vector<float> z = setup.noise_of(2).to_host(), clean = reference.to_host();
  std::vector<float> noisy;
  for (size_t i = 0; i < z.size(); ++i) {
    noisy.push_back(
        static_cast<float>(setup.level.signal() * clean[i % 60] + setup.level.noise() * z[i]));
  }
  const std::vector<float> low_part =
      low.run(test::tensor_of(*setup.context, setup.shape, noisy)).to_host();
  const std::vector<float> high_part = high.run(before).to_host();
  std::vector<double> expected;
  for (size_t i = 0; i < z.size(); ++i) expected.push_back(double{low_part[i]} + high_part[i]);
  CHECK(test::compare(setup.x.to_host(), expected, {.absolute = 3e-6}) == "");
}

// A pipeline of a small network, with an image as start or constraint.
struct SmallPipeline {
  std::unique_ptr<Context> context = test::cpu_context();
  Network network = make_network(test::mnist_config("time", "add", 4), "test");
  TensorMap params = test::random_params(*context, network, 3);
  test::RandomData random{8};
  Tensor original = test::tensor_of(*context, {1, 28, 28, 1}, random.uniform(kPixels));

  GenerateRequest request(int64_t images) const {
    return {.images = images, .seed = 20, .schedule = full_schedule(Objective{}, 6)};
  }

  std::vector<float> run(const GenerateRequest& request, int64_t batch_size = 64,
                         const GenerateCallback& on_step = nullptr) const {
    const Pipeline pipeline(*context, {.network = network, .params = params},
                            {.batch_size = batch_size});
    return pipeline.generate_values(request, on_step);
  }
};

TEST_CASE("inpainting keeps the known pixels to the last bit, in any batch, and makes the others") {
  const SmallPipeline small;
  std::vector<float> mask(kPixels, 0.0f);
  for (size_t p = 0; p < mask.size(); ++p) mask[p] = p % 28 < 14 ? 1.0f : 0.0f;
  GenerateRequest request = small.request(3);
  request.constraint = std::make_shared<InpaintConstraint>(
      *small.context, test::tensor_of(*small.context, {1, 28, 28, 1}, mask), small.original);
  for (const int64_t times : {1, 2}) {
    request.resampling = {.jump = 2, .times = times};
    const std::vector<float> together = small.run(request, 3);
    CHECK(test::compare_bits(small.run(request, 2), together) == "");
    const std::vector<float> known = small.original.to_host();
    int64_t changed = 0;
    for (size_t i = 0; i < together.size(); ++i) {
      if (mask[i % kPixels] == 0) REQUIRE(together[i] == known[i % kPixels]);
      if (together[i] != known[i % kPixels]) ++changed;
    }
    CHECK(changed > 3 * kPixels / 2 - 10);
  }
}

TEST_CASE("a start image gets noise of the schedule's first level, each image its own") {
  const SmallPipeline small;
  GenerateRequest request = small.request(2);
  request.start = small.original;
  request.schedule = schedule_from(Objective{}, scale_level(Objective{}, 400), 3);
  std::vector<float> first_state;
  const std::vector<float> together = small.run(request, 64, [&](const GenerateStep& step) {
    if (step.step == 0) first_state = step.x.to_host();
    return true;
  });
  const Tensor eps = Tensor::empty(*small.context, {2, 28, 28, 1});
  ImageNoise(*small.context, 20).start(eps);
  const std::vector<float> z = eps.to_host(), clean = small.original.to_host();
  std::vector<double> expected;
  for (size_t i = 0; i < z.size(); ++i) {
    expected.push_back(request.schedule[0].signal() * clean[i % kPixels] +
                       request.schedule[0].noise() * z[i]);
  }
  CHECK(test::compare(first_state, expected, {.absolute = 1e-6}) == "");
  CHECK(test::compare_bits(small.run(request, 1), together) == "");
}

}  // namespace
}  // namespace ebb
