// Whole steps of guidance, inpainting, anagrams and hybrids against PyTorch
// (tests/golden/toolbox_goldens.py), with ebb's own noise.

#include <algorithm>
#include <cmath>

#include "diffusion/conditioner.h"
#include "diffusion/constraint.h"
#include "diffusion/pipeline.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/golden.h"

namespace ebb {
namespace {

constexpr uint64_t kFirstSeed = 42;
constexpr int64_t kImages = 2;

// TinyRgb of toolbox_goldens.py: [N, 12, 12, 3] to noise and variance code, [N, 12, 12, 6].
Network tiny_rgb() {
  Network network;
  network.config = R"({"name": "tiny_rgb"})";
  network.inputs = {{"x", {12, 12, 3}, InputRole::kSample},
                    {"t", {1}, InputRole::kTime},
                    {"c", {10}, InputRole::kCondition}};
  network.forward = [](Ops& ops, const std::vector<Value>& inputs) {
    const Scope s;
    Value h = ops.conv2d(s / "conv1", inputs[0], 8, 3, 1, 1);                    // [N, 12, 12, 8]
    h = ops.add(s / "timed", h, ops.linear(s / "time", inputs[1], 8));           // + [1, 8]
    h = ops.multiply(s / "labelled", h, ops.linear(s / "label", inputs[2], 8));  // * [N, 8]
    return ops.conv2d(s / "conv2", ops.gelu(s / "gelu", h), 6, 3, 1, 1);
  };
  return network;
}

// A golden file with its network, and the parts of its cases' guidance.
class Applications {
 public:
  // `file` holds the states; `weights` the parameters, with `prefix` before their names.
  Applications(const std::string& file, const std::string& weights, const std::string& prefix,
               Network network, const Objective& objective, DdpmVariance variance)
      : golden(file), network_(std::move(network)), variance_(variance) {
    const test::Golden parameters(weights);
    for (const ParamSpec& spec : list_params(network_)) {
      params_[spec.name] = parameters.param(*context, prefix, spec);
    }
    for (const int32_t k : golden.integers("timestep")) {
      schedule_.push_back(timestep_level(objective, k));
    }
    const Shape image = network_.inputs[0].shape;
    height_ = image[0];
    width_ = image[1];
  }

  Guidance guided_by(int64_t label, double scale = 5) const {
    const std::vector<int64_t> labels(kImages, label), none(kImages, kNoClass);
    return guided({{"c", one_hot(*context, labels, 10)}}, {{"c", one_hot(*context, none, 10)}},
                  scale);
  }

  Guidance seen(const std::vector<std::pair<std::string, int64_t>>& views) const {
    std::vector<ViewedGuidance> parts;
    for (const auto& [name, label] : views) {
      parts.push_back({make_view(name, height_, width_, "--view"), guided_by(label)});
    }
    return mean_of_views(parts);
  }

  Guidance summed(const std::vector<std::pair<Filter, int64_t>>& filters) const {
    std::vector<FilteredGuidance> parts;
    for (const auto& [filter, label] : filters) parts.push_back({filter, guided_by(label)});
    return sum_of_parts(parts);
  }

  // Empty when every state is that of the file within `relative` of its largest value.
  std::string compare(const std::string& name, const Guidance& guidance,
                      std::shared_ptr<Constraint> constraint = nullptr,
                      double relative = 1e-5) const {
    const Pipeline pipeline(*context, {.network = network_, .params = params_},
                            {.variance = to_string(variance_)});
    const GenerateRequest request{.images = kImages,
                                  .seed = kFirstSeed,
                                  .guidance = guidance,
                                  .schedule = schedule_,
                                  .constraint = std::move(constraint)};
    const Tensor states = golden.activation(*context, name);
    if (states.shape()[0] != kImages * static_cast<int64_t>(schedule_.size())) return "other steps";
    std::string wrong;
    pipeline.generate_values(request, [&](const GenerateStep& step) {
      const int64_t done = step.step;
      const std::vector<double> expected =
          test::to_double(test::images(states, kImages * done, kImages).to_host());
      double largest = 0;
      for (const double value : expected) largest = std::max(largest, std::fabs(value));
      const std::vector<float> actual = step.x.to_host();
      const std::string error = test::compare(actual, expected, {.absolute = relative * largest});
      if (wrong.empty() && !error.empty()) wrong = cat("after step ", done, ": ", error);
      return true;
    });
    return wrong;
  }

  // The mask of all channels and the known image, [1, H, W, C] each.
  std::shared_ptr<InpaintConstraint> inpaint_constraint() const {
    const Tensor known = golden.activation(*context, "known");
    const std::vector<float> mask = golden.values("mask");
    const int64_t channels = known.shape()[3];
    std::vector<float> wide;
    for (const float m : mask) wide.insert(wide.end(), static_cast<size_t>(channels), m);
    return std::make_shared<InpaintConstraint>(
        *context, test::tensor_of(*context, known.shape(), wide), known);
  }

  const std::unique_ptr<Context> context = test::cpu_context();
  const test::Golden golden;

 private:
  Network network_;
  DdpmVariance variance_;
  TensorMap params_;
  SamplingSchedule schedule_;
  int64_t height_ = 0, width_ = 0;
};

std::unique_ptr<Applications> mnist_applications() {
  return std::make_unique<Applications>(
      "toolbox_mnist", "toolbox_ddpm", "",
      make_network(test::Golden("toolbox_ddpm").model_config(), "golden"), Objective{},
      DdpmVariance::kFixedLarge);
}

std::unique_ptr<Applications> rgb_applications() {
  Objective cosine;
  cosine.timesteps = 1000;
  cosine.schedule = BetaSchedule::kSquaredCosine;
  return std::make_unique<Applications>("toolbox_rgb", "toolbox_rgb", "param.", tiny_rgb(), cosine,
                                        DdpmVariance::kLearnedRange);
}

std::vector<std::unique_ptr<Applications>> application_sets() {
  std::vector<std::unique_ptr<Applications>> all;
  all.push_back(mnist_applications());
  all.push_back(rgb_applications());
  return all;
}

TEST_CASE("the noise of an image is the one that the golden files were made with") {
  const auto applications = rgb_applications();
  Context& context = *applications->context;
  const ImageNoise noise(context, kFirstSeed);
  const auto check = [&](const std::string& name, int64_t step, const auto& draw) {
    const Tensor all = applications->golden.activation(context, name);
    const Tensor expected = test::images(all, kImages * step, kImages);
    const Tensor z = Tensor::empty(context, expected.shape());
    draw(z);
    // kernels/random/philox.h: within 4 * 2^-24 r of the formula, r <= 6.56.
    CHECK(test::compare(z.to_host(), test::to_double(expected.to_host()), {.absolute = 2e-6}) ==
          "");
  };
  check("start", 0, [&](const Tensor& z) { noise.start(z); });
  for (const int64_t step : {0, 3}) {
    check("noise", step, [&](const Tensor& z) { noise.step(step, z); });
    check("reference_noise", step, [&](const Tensor& z) { noise.reference(step, z); });
  }
}

TEST_CASE("guided steps are PyTorch's; the variance is the conditional prediction's") {
  for (const auto& applications : application_sets()) {
    CHECK(applications->compare("conditional", applications->guided_by(3, 1)) == "");
    // 7 e_c - 6 e_u makes 13 times as much of a rounding error of the network, and the last step,
    // to the clean image, 1.5 times of that: PyTorch's network in f32 is 1.0e-5 off too.
    CHECK(applications->compare("guided", applications->guided_by(3, 7), nullptr, 2e-5) == "");
  }
}

TEST_CASE("inpainting steps are PyTorch's") {
  for (const auto& applications : application_sets()) {
    CHECK(applications->compare("inpaint", applications->guided_by(6),
                                applications->inpaint_constraint()) == "");
  }
}

TEST_CASE("anagram steps are PyTorch's, each view with its own unconditional estimate") {
  for (const auto& applications : application_sets()) {
    CHECK(applications->compare("rotate_180",
                                applications->seen({{"identity", 6}, {"rotate_180", 9}})) == "");
    CHECK(applications->compare("flip", applications->seen({{"identity", 6}, {"flip", 9}})) == "");
    CHECK(applications->compare("negate", applications->seen({{"identity", 6}, {"negate", 9}})) ==
          "");
    CHECK(applications->compare(
              "three_views",
              applications->seen({{"flip", 6}, {"rotate_cw", 9}, {"rotate_ccw", 3}})) == "");
  }
}

TEST_CASE("hybrid steps are PyTorch's: parts add up") {
  for (const auto& applications : application_sets()) {
    CHECK(applications->compare("hybrid", applications->summed({{low_pass(9, 1.5), 6},
                                                                {high_pass(9, 1.5), 9}})) == "");
    CHECK(applications->compare("motion", applications->summed({{motion_blur(7), 6},
                                                                {motion_residual(7), 9}})) == "");
    // Between two widths of blur, each with a kernel of its own.
    Filter middle = low_pass(9, 1.5);
    for (Filter::Term term : low_pass(23, 2).terms) {
      term.weight = -term.weight;
      middle.terms.push_back(term);
    }
    CHECK(applications->compare(
              "triple", applications->summed(
                            {{low_pass(23, 2), 6}, {middle, 9}, {high_pass(9, 1.5), 1}})) == "");
  }
}

TEST_CASE("color hybrid steps are PyTorch's") {
  const auto rgb = rgb_applications();
  CHECK(rgb->compare("color", rgb->summed({{gray(), 6}, {color_residual(), 9}})) == "");
}

}  // namespace
}  // namespace ebb
