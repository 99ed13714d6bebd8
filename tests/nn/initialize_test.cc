#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "testing/catch.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using test::ends_with;

std::vector<ParamSpec> class_network() {
  return list_params(make_network(test::mnist_config("class", "add", 64), ""));
}

std::vector<float> initial(const ParamSpec& spec, uint64_t seed, size_t index) {
  std::vector<float> values(static_cast<size_t>(spec.shape.elements()), NAN);
  initialize(spec, seed, static_cast<int64_t>(index), values);
  return values;
}

// PyTorch's reset_parameters: fan_in is dimension 1 of the weight times its kernel's size, for
// ConvTranspose2d ([in, out, k, k]) too; weight and bias are uniform in +-1/sqrt(fan_in).
double torch_bound(const Shape& torch_weight) {
  int64_t fan_in = 1;
  for (int i = 1; i < torch_weight.rank(); ++i) fan_in *= torch_weight[i];
  return 1 / std::sqrt(static_cast<double>(fan_in));
}

// By parameter name; batch norm has none.
std::map<std::string, double> torch_bounds(const std::vector<ParamSpec>& specs) {
  std::map<std::string, double> bounds;
  for (const ParamSpec& spec : specs) {
    if (spec.name.find(".bn.") != std::string::npos || !ends_with(spec.name, ".weight")) continue;
    const std::string layer = spec.name.substr(0, spec.name.size() - 6);
    bounds[layer + "weight"] = bounds[layer + "bias"] = torch_bound(torch_shape(spec));
  }
  return bounds;
}

TEST_CASE("an embedding starts from normal numbers, as PyTorch's does") {
  const ParamSpec spec{"weight", {400, 50}, {.init = {.deviation = 2}}};
  const std::vector<float> values = initial(spec, 5, 1);
  double mean = 0, square = 0;
  for (float v : values) {
    mean += v / 20000.0;
    square += v * v / 20000.0;
  }
  // Five standard errors of 20000 draws: 2 / sqrt(20000) and 4 sqrt(2 / 20000).
  CHECK(std::fabs(mean) < 5 * 0.0142);
  CHECK(std::fabs(square - 4) < 5 * 0.04);
  CHECK(initial(spec, 5, 1) == values);
  CHECK(initial(spec, 6, 1) != values);
}

// Largest distance between the empirical distribution and the uniform one (Kolmogorov, Smirnov).
double distance_from_uniform(std::vector<float> values, double bound) {
  std::sort(values.begin(), values.end());
  const double n = static_cast<double>(values.size());
  double distance = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double uniform = (values[i] / bound + 1) / 2;
    distance = std::max(
        {distance, static_cast<double>(i + 1) / n - uniform, uniform - static_cast<double>(i) / n});
  }
  return distance;
}

struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const std::vector<float>& values) {
  Moments m;
  const double n = static_cast<double>(values.size());
  for (float v : values) m.mean += v / n;
  for (float v : values) m.variance += (v - m.mean) * (v - m.mean) / n;
  return m;
}

TEST_CASE("the bounds are those of PyTorch's layers", "[nn]") {
  const auto bounds = torch_bounds(class_network());
  CHECK(bounds.at("init_conv.conv1.conv.weight") == Approx(1 / std::sqrt(9.0)));
  CHECK(bounds.at("up1.up.conv.bias") == Approx(1 / std::sqrt(64.0 * 16)));  // out = 64, in = 256
  CHECK(bounds.at("unflatten.conv.weight") == Approx(1 / std::sqrt(128.0 * 49)));
  CHECK(bounds.at("class1.fc1.bias") == Approx(1 / std::sqrt(10.0)));
}

TEST_CASE("weights and biases are uniform within PyTorch's bounds", "[nn]") {
  const std::vector<ParamSpec> specs = class_network();
  const auto bounds = torch_bounds(specs);
  int tested = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!bounds.contains(specs[i].name)) continue;
    INFO(specs[i].name);
    const double bound = bounds.at(specs[i].name);
    const std::vector<float> values = initial(specs[i], 7, i);
    const double n = static_cast<double>(values.size());
    CHECK(std::all_of(values.begin(), values.end(), [&](float v) {
      return std::fabs(v) <= bound * (1 + 1e-6);  // false for NaN
    }));
    // The seed is fixed, so these cannot fail by chance; the limits are those of one test in 10^4.
    CHECK(distance_from_uniform(values, bound) <= 2.2 / std::sqrt(n));
    const Moments m = moments(values);
    CHECK(std::fabs(m.mean) <= 4 * bound / std::sqrt(3 * n));
    CHECK(std::fabs(m.variance - bound * bound / 3) <=
          4 * bound * bound * std::sqrt(4.0 / 45 / n) + bound * bound / n);
    ++tested;
  }
  CHECK(tested == 2 * 26);  // 17 convolutions, the last one and 8 linear layers
}

TEST_CASE("batch norm starts as the identity", "[nn]") {
  const std::vector<ParamSpec> specs = class_network();
  int tested = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (specs[i].name.find(".bn.") == std::string::npos) continue;
    const bool one = ends_with(specs[i].name, "weight") || ends_with(specs[i].name, "running_var");
    INFO(specs[i].name);
    const std::vector<float> values = initial(specs[i], 7, i);
    CHECK(values == std::vector<float>(values.size(), one ? 1.0f : 0.0f));
    CHECK(specs[i].info.trainable != (specs[i].name.find("running") != std::string::npos));
    ++tested;
  }
  CHECK(tested == 4 * 17);
}

TEST_CASE("every parameter and every seed has numbers of its own", "[nn]") {
  const std::vector<ParamSpec> specs = class_network();
  const auto bounds = torch_bounds(specs);
  std::set<float> leading;  // scaled to [-1, 1): one parameter's numbers in another would show
  size_t parameters = 0;
  for (size_t i = 0; i < specs.size(); ++i) {
    if (!bounds.contains(specs[i].name)) continue;
    const float bound = static_cast<float>(bounds.at(specs[i].name));
    for (uint64_t seed : {7, 8}) leading.insert(initial(specs[i], seed, i)[0] / bound);
    parameters += 2;
    CHECK(initial(specs[i], 7, i) == initial(specs[i], 7, i));
  }
  CHECK(leading.size() == parameters);
}

}  // namespace
}  // namespace ebb
