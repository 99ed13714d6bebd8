#include "diffusion/denoiser.h"

#include "nn/eager_ops.h"
#include "tests/support/catch.h"
#include "tests/support/contexts.h"
#include "tests/support/networks.h"

namespace ebb {
namespace {

constexpr int64_t kImages = 3;

struct Case {
  std::unique_ptr<Context> context = test::cpu_context();
  Network network;
  TensorMap params;
  TensorMap inputs;  // batch kImages; t is the same for all

  explicit Case(const std::string& config) : network(make_network(config, "test")) {
    params = test::random_params(*context, network, 1);
    inputs = test::random_inputs(*context, network, kImages, 2);
    inputs["t"] = test::tensor_of(*context, {kImages, 1}, std::vector<float>(kImages, 0.3f));
  }

  Tensor time() const { return inputs.at("t").range(0, {1, 1}); }

  // Layer by layer, every input with its own batch.
  Tensor plain(const Tensor& condition) {
    TensorMap all = inputs;
    if (condition.defined()) all["c"] = condition;
    EagerOps ops(*context, params);
    return ops.tensor(test::forward(ops, network, all));
  }
};

TEST_CASE("guidance in one run is the combination of two plain runs") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor cond = test.inputs.at("c");
  const Tensor uncond = Tensor::zeros(*test.context, cond.shape());
  for (const double scale : {0.0, 0.5, 1.0, 5.0}) {
    NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages,
                             guided(cond, uncond, scale));
    const std::vector<float> guided_values =
        denoiser.predict(test.inputs.at("x"), test.time()).to_host();
    const std::vector<float> c = test.plain(cond).to_host(), u = test.plain(uncond).to_host();
    std::vector<double> expected;
    for (size_t i = 0; i < c.size(); ++i) {
      expected.push_back(u[i] + scale * (double{c[i]} - u[i]));
    }
    INFO("scale " << scale);
    // Folding BatchNorm changes rounding.
    CHECK(test::nmse(guided_values, expected) < 1e-11);
  }
}

TEST_CASE("guidance asks once at scale 1 and twice otherwise") {
  const auto context = test::cpu_context();
  const Tensor c = Tensor::zeros(*context, {2, 10});
  CHECK(guided(c, c, 1).size() == 1);
  const std::vector<Branch> two = guided(c, c, 5);
  REQUIRE(two.size() == 2);
  CHECK(two[0].weight == -4);
  CHECK(two[1].weight == 5);
}

TEST_CASE("a network without classes predicts as it is, additive or multiplicative in time") {
  for (const char* fusion : {"add", "multiply"}) {
    Case test(test::mnist_config("time", fusion, 4));
    NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages, {Branch{}});
    const Tensor& prediction = denoiser.predict(test.inputs.at("x"), test.time());
    CHECK(test::nmse(prediction, test.plain({})) < 1e-11);
  }
}

TEST_CASE("a second call sees its own image and time") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor cond = test.inputs.at("c");
  const Tensor other_x = test::random_inputs(*test.context, test.network, kImages, 8).at("x");
  const Tensor other_t = test::tensor_of(*test.context, {1, 1}, {0.9f});
  const auto make = [&] {
    return std::make_unique<NetworkDenoiser>(
        *test.context, test.network, test.params, kImages,
        guided(cond, Tensor::zeros(*test.context, cond.shape()), 5));
  };
  const auto used = make(), fresh = make();
  used->predict(test.inputs.at("x"), test.time());
  for (const Tensor& t : {other_t, test.time()}) {
    CHECK(test::compare_bits(used->predict(other_x, t), fresh->predict(other_x, t)) == "");
  }
}

}  // namespace
}  // namespace ebb
