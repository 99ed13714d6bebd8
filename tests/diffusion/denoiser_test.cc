#include "diffusion/denoiser.h"

#include "nn/eager_ops.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

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

// Guided to the condition "c".
Guidance by_class(const Tensor& cond, const Tensor& uncond, double scale) {
  return guided({{"c", cond}}, {{"c", uncond}}, scale);
}

TEST_CASE("guidance in one run is the combination of two plain runs") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor cond = test.inputs.at("c");
  const Tensor uncond = Tensor::zeros(*test.context, cond.shape());
  for (const double scale : {0.0, 0.5, 1.0, 5.0}) {
    NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages,
                             by_class(cond, uncond, scale));
    const std::vector<float> guided_values =
        denoiser.predict(test.inputs.at("x"), test.time()).value.to_host();
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

TEST_CASE("guidance evaluates once at scale 1 and twice otherwise") {
  const auto context = test::cpu_context();
  const Tensor c = Tensor::zeros(*context, {2, 10});
  CHECK(by_class(c, c, 1).size() == 1);
  const Guidance two = by_class(c, c, 5);
  REQUIRE(two.size() == 2);
  CHECK(two[0].weight == -4);
  CHECK(two[1].weight == 5);
  // The variance is the condition's alone, whatever the scale.
  CHECK(two[0].variance_weight == 0);
  CHECK(two[1].variance_weight == 1);
}

TEST_CASE("a network without classes predicts as it is, additive or multiplicative in time") {
  for (const char* fusion : {"add", "multiply"}) {
    Case test(test::mnist_config("time", fusion, 4));
    NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages, {GuidanceTerm{}});
    const Tensor prediction = denoiser.predict(test.inputs.at("x"), test.time()).value;
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
        by_class(cond, Tensor::zeros(*test.context, cond.shape()), 5));
  };
  const auto used = make(), fresh = make();
  used->predict(test.inputs.at("x"), test.time());
  for (const Tensor& t : {other_t, test.time()}) {
    CHECK(test::compare_bits(used->predict(other_x, t).value, fresh->predict(other_x, t).value) ==
          "");
  }
}

// x [N, 28, 28, 1] upside down.
Tensor flipped(Context& context, const Tensor& x) {
  std::vector<float> values = x.to_host(), result(values.size());
  for (size_t i = 0; i < values.size(); ++i) {
    const size_t image = i / 784, row = i % 784 / 28, column = i % 28;
    result[image * 784 + (27 - row) * 28 + column] = values[i];
  }
  return test::tensor_of(context, x.shape(), result);
}

// Case::plain for another image, as doubles.
std::vector<double> plain_prediction(Case& test, const Tensor& x, const Tensor& condition) {
  const Tensor own = test.inputs.at("x");
  test.inputs["x"] = x;
  const Tensor prediction = test.plain(condition);
  test.inputs["x"] = own;
  return test::to_double(prediction.to_host());
}

// uncond + scale * (cond - uncond)
std::vector<double> guided_prediction(Case& test, const Tensor& x, const Tensor& cond,
                                      double scale) {
  const std::vector<double> c = plain_prediction(test, x, cond),
                            u = plain_prediction(test, x,
                                                 Tensor::zeros(*test.context, cond.shape()));
  std::vector<double> result;
  for (size_t i = 0; i < c.size(); ++i) result.push_back(u[i] + scale * (c[i] - u[i]));
  return result;
}

TEST_CASE("an anagram is the mean of two guided predictions, each for its own view, in one run") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor first = test.inputs.at("c");
  const Tensor second = test::random_inputs(*test.context, test.network, kImages, 5).at("c");
  const Tensor none = Tensor::zeros(*test.context, {1, 10});
  const View flip = make_view("flip", 28, 28, "--view");
  NetworkDenoiser denoiser(
      *test.context, test.network, test.params, kImages,
      mean_of_views({{View{}, by_class(first, none, 5)}, {flip, by_class(second, none, 5)}}));
  CHECK(denoiser.queries() == 4);
  const Tensor x = test.inputs.at("x"), upside_down = flipped(*test.context, x);
  const std::vector<double> upright = guided_prediction(test, x, first, 5);
  const std::vector<double> other = guided_prediction(test, upside_down, second, 5);
  const Tensor turned_back = flipped(
      *test.context, test::tensor_of(*test.context, x.shape(), {other.begin(), other.end()}));
  std::vector<double> expected;
  for (size_t i = 0; i < upright.size(); ++i) {
    expected.push_back((upright[i] + turned_back.to_host()[i]) / 2);
  }
  CHECK(test::nmse(denoiser.predict(x, test.time()).value.to_host(), expected) < 1e-11);
}

TEST_CASE("a hybrid is the low band of one guided prediction plus the high band of another") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor far = test.inputs.at("c");
  const Tensor near = test::random_inputs(*test.context, test.network, kImages, 5).at("c");
  const Tensor none = Tensor::zeros(*test.context, {1, 10});
  NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages,
                           sum_of_parts({{low_pass(33, 2), by_class(far, none, 5)},
                                         {high_pass(33, 2), by_class(near, none, 5)}}));
  CHECK(denoiser.queries() == 3);  // both share the unconditional one
  const Tensor x = test.inputs.at("x");
  const auto filtered = [&](const Filter& filter, const std::vector<double>& values) {
    const Tensor tensor = test::tensor_of(*test.context, x.shape(), {values.begin(), values.end()});
    return FilterRunner(*test.context, filter).run(tensor).to_host();
  };
  const std::vector<float> low = filtered(low_pass(33, 2), guided_prediction(test, x, far, 5));
  const std::vector<float> high = filtered(high_pass(33, 2), guided_prediction(test, x, near, 5));
  std::vector<double> expected;
  for (size_t i = 0; i < low.size(); ++i) expected.push_back(double{low[i]} + high[i]);
  CHECK(test::nmse(denoiser.predict(x, test.time()).value.to_host(), expected) < 1e-11);
}

TEST_CASE("views with unequally many conditions each have their own image") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor cond = test.inputs.at("c"), none = Tensor::zeros(*test.context, {1, 10});
  const View flip = make_view("flip", 28, 28, "--view");
  NetworkDenoiser denoiser(
      *test.context, test.network, test.params, kImages,
      mean_of_views({{View{}, by_class(cond, none, 5)}, {flip, by_class(cond, none, 1)}}));
  CHECK(denoiser.queries() == 3);
  const Tensor x = test.inputs.at("x");
  const std::vector<double> upright = guided_prediction(test, x, cond, 5);
  const std::vector<double> other = guided_prediction(test, flipped(*test.context, x), cond, 1);
  const std::vector<float> turned_back =
      flipped(*test.context,
              test::tensor_of(*test.context, x.shape(), {other.begin(), other.end()}))
          .to_host();
  std::vector<double> expected;
  for (size_t i = 0; i < upright.size(); ++i) {
    expected.push_back((upright[i] + turned_back[i]) / 2);
  }
  CHECK(test::nmse(denoiser.predict(x, test.time()).value.to_host(), expected) < 1e-11);
}

TEST_CASE("equal queries are evaluated once, however they were made") {
  Case test(test::mnist_config("class", "add", 4));
  const Tensor cond = test.inputs.at("c");
  const auto zeros = [&] { return Tensor::zeros(*test.context, {1, 10}); };
  const Guidance guidance = sum_of_parts({{low_pass(33, 2), by_class(cond, zeros(), 5)},
                                          {high_pass(33, 2), by_class(cond, zeros(), 5)}});
  NetworkDenoiser hybrid(*test.context, test.network, test.params, kImages, guidance);
  CHECK(hybrid.queries() == 2);
  NetworkDenoiser plain(*test.context, test.network, test.params, kImages,
                        by_class(cond, zeros(), 5));
  const Tensor x = test.inputs.at("x");
  const std::vector<float> once = plain.predict(x, test.time()).value.to_host();
  CHECK(test::nmse(hybrid.predict(x, test.time()).value.to_host(), test::to_double(once)) < 1e-12);
}

TEST_CASE("a denoiser predicts for the selected images") {
  Case test(test::mnist_config("class", "add", 4));
  const std::vector<float> rows = [] {
    std::vector<float> values(50, 0.0f);
    for (size_t i = 0; i < 5; ++i) values[i * 10 + i] = 1;
    return values;
  }();
  const Tensor five = test::tensor_of(*test.context, {5, 10}, rows);
  NetworkDenoiser denoiser(*test.context, test.network, test.params, kImages,
                           conditioned({{"c", five}}));
  const Tensor x = test.inputs.at("x");
  for (const int64_t first : {2, 0}) {
    denoiser.select(first);
    CHECK(test::nmse(denoiser.predict(x, test.time()).value,
                     test.plain(five.range(first * 10, {kImages, 10}))) < 1e-11);
  }
}

// Three channels in, six out, on images of another size: what DeepFloyd IF is to the samplers.
Network six_channel_network() {
  Network network;
  network.inputs = {{"x", {6, 8, 3}, InputRole::kSample},
                    {"t", {1}, InputRole::kTime},
                    {"c", {4}, InputRole::kCondition}};
  network.forward = [](Ops& ops, const std::vector<Value>& in) {
    const Scope s;
    const Value h = ops.conv2d(s / "conv", in[0], 6, 3, 1, 1);
    const Value timed = ops.add(s / "timed", h, ops.linear(s / "time", in[1], 6));
    return ops.multiply(s / "classed", timed, ops.linear(s / "class", in[2], 6));
  };
  return network;
}

// x plus what an id, a vector and smaller images say of it.
Network many_conditions_network() {
  Network network;
  network.inputs = {{"ids", {}, InputRole::kCondition, DType::kI32},
                    {"noisy", {2, 2, 3}, InputRole::kSample},
                    {"small", {2, 2, 3}, InputRole::kLowRes},
                    {"vector", {4}, InputRole::kCondition},
                    {"level", {1}, InputRole::kTime}};
  network.forward = [](Ops& ops, const std::vector<Value>& in) {
    const Scope s;
    const Value h = ops.conv2d(s / "conv", ops.concat(s / "both", {in[1], in[2]}), 3, 1, 1, 0);
    const Value timed = ops.add(s / "timed", h, ops.linear(s / "time", in[4], 3));
    const Value named = ops.add(s / "named", timed, ops.embedding(s / "table", in[0], 5, 3));
    return ops.multiply(s / "scaled", named, ops.linear(s / "scale", in[3], 3));
  };
  return network;
}

TEST_CASE("conditions of several inputs and types are distinguished and reach their inputs") {
  const auto context = test::cpu_context();
  const Network network = many_conditions_network();
  const TensorMap params = test::random_params(*context, network, 1);
  test::RandomData random(5);
  const auto ids = [&](const std::vector<int32_t>& values) {
    return Tensor::from_host(*context, {static_cast<int64_t>(values.size())},
                             std::span<const int32_t>(values));
  };
  const Tensor small = test::normal_tensor(*context, {2, 2, 2, 3}, random),
               vector = test::normal_tensor(*context, {1, 4}, random),
               x = test::normal_tensor(*context, {2, 2, 2, 3}, random),
               t = test::tensor_of(*context, {1, 1}, {0.4f});
  const TensorMap cond{{"ids", ids({3, 1})}, {"small", small}, {"vector", vector}};
  const TensorMap uncond{{"ids", ids({0})}, {"small", small}, {"vector", vector}};
  NetworkDenoiser denoiser(*context, network, params, 2, guided(cond, uncond, 3));
  CHECK(denoiser.queries() == 2);
  const std::vector<float> together = denoiser.predict(x, t).value.to_host();

  const auto predict = [&](const Tensor& labels) {
    EagerOps ops(*context, params);
    const TensorMap inputs{{"ids", labels},
                           {"noisy", x},
                           {"small", small},
                           {"vector", select_images(*context, vector, 0, 2)},
                           {"level", test::tensor_of(*context, {2, 1}, {0.4f, 0.4f})}};
    return ops.tensor(test::forward(ops, network, inputs)).to_host();
  };
  const std::vector<float> c = predict(ids({3, 1})), u = predict(ids({0, 0}));
  std::vector<double> expected;
  for (size_t i = 0; i < c.size(); ++i) expected.push_back(3 * double{c[i]} - 2 * double{u[i]});
  CHECK(test::nmse(together, expected) < 1e-11);

  // Equal ids in another tensor are the same query.
  const TensorMap again{{"ids", ids({3, 1})}, {"small", small}, {"vector", vector}};
  CHECK(NetworkDenoiser(*context, network, params, 2, guided(cond, again, 3)).queries() == 1);
  TensorMap less = cond;
  less.erase("vector");
  CHECK(test::message_of<Error>([&] {
          NetworkDenoiser(*context, network, params, 2, guided(cond, less, 3));
        }) == "denoiser: a term without the input vector of the network");
}

TEST_CASE("variances are the conditions' alone, seen upright, averaged and never negated") {
  const auto context = test::cpu_context();
  const Network network = six_channel_network();
  CHECK(predicts_variance(network));
  CHECK_FALSE(predicts_variance(make_network(test::mnist_config("class", "add", 4), "t")));
  const TensorMap params = test::random_params(*context, network, 1);
  test::RandomData random(3);
  const Tensor x = test::normal_tensor(*context, {2, 6, 8, 3}, random);
  const Tensor first = test::normal_tensor(*context, {2, 4}, random),
               second = test::normal_tensor(*context, {2, 4}, random),
               none = Tensor::zeros(*context, {1, 4});
  const Tensor t = test::tensor_of(*context, {1, 1}, {0.4f});
  const View negate = make_view("negate", 6, 8, "--view");
  NetworkDenoiser denoiser(
      *context, network, params, 2,
      mean_of_views({{View{}, by_class(first, none, 7)}, {negate, by_class(second, none, 7)}}));
  const Prediction prediction = denoiser.predict(x, t);

  // Six channels of each query, layer by layer.
  const auto predict = [&](const std::vector<float>& image, const Tensor& condition) {
    EagerOps ops(*context, params);
    const Tensor all = select_images(*context, condition, 0, 2);
    return ops
        .tensor(test::forward(ops, network,
                              {{"x", test::tensor_of(*context, x.shape(), image)},
                               {"t", test::tensor_of(*context, {2, 1}, {0.4f, 0.4f})},
                               {"c", all}}))
        .to_host();
  };
  std::vector<float> negated = x.to_host();
  for (float& value : negated) value = -value;
  const std::vector<float> c1 = predict(x.to_host(), first), u1 = predict(x.to_host(), none),
                           c2 = predict(negated, second), u2 = predict(negated, none);
  std::vector<double> value, variance;
  for (size_t pixel = 0; pixel < 2 * 6 * 8; ++pixel) {
    for (size_t c = 0; c < 3; ++c) {
      const size_t i = pixel * 6 + c, v = i + 3;
      const double one = u1[i] + 7 * (double{c1[i]} - u1[i]);
      const double two = u2[i] + 7 * (double{c2[i]} - u2[i]);
      value.push_back((one - two) / 2);
      variance.push_back((double{c1[v]} + c2[v]) / 2);
    }
  }
  CHECK(test::nmse(prediction.value.to_host(), value) < 1e-11);
  REQUIRE(prediction.variance.defined());
  CHECK(test::nmse(prediction.variance.to_host(), variance) < 1e-11);
}

TEST_CASE("guidance that cannot be combined is rejected") {
  const Guidance plain = {GuidanceTerm{}};
  const View flip = make_view("flip", 4, 4, "--view");
  CHECK_THROWS_AS(mean_of_views({{flip, mean_of_views({{flip, plain}})}}), Error);
  CHECK_THROWS_AS(sum_of_parts({{low_pass(5, 1), plain}}), Error);
  CHECK_THROWS_AS(sum_of_parts({{low_pass(5, 1), plain}, {low_pass(5, 1), plain}}), Error);
}

}  // namespace
}  // namespace ebb
