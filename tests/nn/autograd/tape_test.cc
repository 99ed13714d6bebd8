#include "nn/autograd/tape.h"

#include <functional>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using autograd::Mode;
using autograd::ParamStore;
using autograd::Tape;
using test::message_of;
using test::tensor_of;

ParamSpec plain(const std::string& name, const Shape& shape) {
  return {name, shape, {.init = {.bound = 1}}};
}

Value vector(Ops& ops, const std::string& name) { return ops.param(Scope(name), {2, 2}, {}); }

// p and q of [2, 2] with fixed values.
struct TwoVectors {
  TwoVectors() : store(poisoned.get(), {plain("p", {2, 2}), plain("q", {2, 2})}, false) {
    store.value("p").copy_from_host(std::vector<float>{1, 2, 3, 4});
    store.value("q").copy_from_host(std::vector<float>{5, 6, 7, 8});
  }
  Context& context() { return poisoned.get(); }
  Tensor zeros() { return Tensor::zeros(context(), {2, 2}); }
  std::vector<float> grad(const std::string& name) { return store.grad(name).to_host(); }

  test::PoisonedContext poisoned;
  ParamStore store;
};

const Scope kLayer("layer");

TEST_CASE("a parameter that is used twice gets the sum of both gradients", "[autograd]") {
  TwoVectors v;
  Tape tape(v.context(), v.store, Mode::kTrain);
  const Value p = vector(tape, "p"), q = vector(tape, "q");
  // mean((p q + p)^2) with four elements: d/dp = (p q + p) (q + 1) / 2, d/dq = (p q + p) p / 2
  const Value y = tape.add(kLayer, tape.multiply(kLayer, p, q), p);
  tape.backward(tape.mse_loss(y, tape.input(v.zeros())));
  CHECK(v.grad("p") == std::vector<float>{18, 49, 96, 162});
  CHECK(v.grad("q") == std::vector<float>{3, 14, 36, 72});
}

TEST_CASE("the gradient of an embedding's table adds up where ids repeat", "[autograd]") {
  test::PoisonedContext poisoned;
  ParamStore store(poisoned.get(), {plain("e.weight", {5, 2})}, false);
  store.value("e.weight").copy_from_host(std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10});
  const std::vector<int32_t> ids{1, 3, 1, 1};
  Tape tape(poisoned.get(), store, Mode::kTrain);
  const Value named =
      tape.input(Tensor::from_host(poisoned.get(), {4}, std::span<const int32_t>(ids)));
  const Value y = tape.embedding(Scope("e"), named, 5, 2);
  CHECK(tape.tensor(y).to_host() == std::vector<float>{3, 4, 7, 8, 3, 4, 3, 4});
  // mean(y^2) of eight elements: every use of a row adds a quarter of it.
  tape.backward(tape.mse_loss(y, tape.input(Tensor::zeros(poisoned.get(), {4, 2}))));
  CHECK(store.grad("e.weight").to_host() ==
        std::vector<float>{0, 0, 2.25f, 3, 0, 0, 1.75f, 2, 0, 0});
}

TEST_CASE("gradients pass a conversion of type", "[autograd]") {
  TwoVectors v;
  Tape tape(v.context(), v.store, Mode::kTrain);
  const Value p = vector(tape, "p");
  const Value half = tape.convert(kLayer, p, DType::kBF16);
  CHECK(tape.tensor(half).dtype() == DType::kBF16);
  const Value y = tape.convert(kLayer, half, DType::kF32);
  tape.backward(tape.mse_loss(y, tape.input(v.zeros())));
  CHECK(v.grad("p") == std::vector<float>{0.5, 1, 1.5, 2});
}

TEST_CASE("gradients of a new tape replace the old ones", "[autograd]") {
  TwoVectors v;
  const auto run = [&] {
    Tape tape(v.context(), v.store, Mode::kTrain);
    const Value y = tape.multiply(kLayer, vector(tape, "p"), vector(tape, "q"));
    tape.backward(tape.mse_loss(y, tape.input(v.zeros())));
    return v.grad("p");
  };
  const std::vector<float> first = run();
  CHECK(first == std::vector<float>{12.5, 36, 73.5, 128});
  CHECK(run() == first);
}

TEST_CASE("a parameter that the loss does not reach has gradient zero", "[autograd]") {
  TwoVectors v;
  v.store.grad("q").copy_from_host(std::vector<float>{9, 9, 9, 9});  // of an earlier step
  Tape tape(v.context(), v.store, Mode::kTrain);
  const Value p = vector(tape, "p"), q = vector(tape, "q");
  const Value loss = tape.mse_loss(p, tape.input(v.zeros()));
  tape.multiply(kLayer, p, q);  // leads nowhere
  tape.backward(loss);
  CHECK(v.grad("p") == std::vector<float>{0.5, 1, 1.5, 2});
  CHECK(v.grad("q") == std::vector<float>(4, 0.0f));
}

TEST_CASE("inference mode records nothing and leaves running statistics alone", "[autograd]") {
  const auto context = test::cpu_context();
  const Network network = test::make_test_network(test::test_networks()[3]);
  ParamStore store(*context, list_params(network), false);
  store.initialize(1);
  const std::vector<float> before = store.buffers().to_host();
  const TensorMap inputs = test::random_inputs(*context, network, 2, 1);
  Tape tape(*context, store, Mode::kEval);
  const Value y = test::forward(tape, network, inputs);
  const Value loss = tape.mse_loss(y, tape.input(inputs.at("x")));
  CHECK(store.buffers().to_host() == before);
  CHECK(message_of<Error>([&] { tape.backward(loss); }) ==
        "backward: nothing was recorded, or it was used already");
  Tape training(*context, store, Mode::kTrain);
  test::forward(training, network, inputs);
  CHECK(store.buffers().to_host() != before);
}

TEST_CASE("a tape goes back once, from one number that depends on a parameter", "[autograd]") {
  TwoVectors v;
  Tape tape(v.context(), v.store, Mode::kTrain);
  const Value p = vector(tape, "p");
  const Value y = tape.multiply(kLayer, p, p);
  const Value constant = tape.mse_loss(tape.input(v.zeros()), tape.input(v.zeros()));
  CHECK(message_of<ShapeError>([&] { tape.backward(y); }) ==
        "backward: loss [2, 2], expected one element");
  CHECK(message_of<Error>([&] { tape.backward(constant); }) ==
        "backward: nothing was recorded, or it was used already");
  const Value loss = tape.mse_loss(y, tape.input(v.zeros()));
  tape.backward(loss);
  CHECK(message_of<Error>([&] { tape.backward(loss); }) ==
        "backward: nothing was recorded, or it was used already");
}

TEST_CASE("what has no gradient rule is an error, not a silent zero", "[autograd]") {
  const auto context = test::cpu_context();
  const std::vector<ParamSpec> specs{plain("x", {2, 3, 3, 2}), plain("y", {4, 3, 3, 2}),
                                     plain("w", {2, 3, 3, 2}), plain("b", {2}),
                                     plain("s", {2, 2}),       plain("bias", {1, 9, 9})};
  const auto backward_error =
      [&](const std::function<Value(Tape&, const std::function<Value(const char*)>&)>& build) {
        ParamStore store(*context, specs, false);
        store.initialize(1);
        Tape tape(*context, store, Mode::kTrain);
        const auto param = [&](const char* name) {
          return tape.param(Scope(name), store.value(name).shape(), {});
        };
        return message_of<Error>([&] { tape.backward(build(tape, param)); });
      };
  const auto loss_of = [](Tape& tape, Value y) {
    const Tensor zeros = tape.tensor(y);
    return tape.mse_loss(y, tape.input(zeros));
  };
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const std::vector<Value> inputs{param("x"), param("w"), param("b"), param("x")};
          return loss_of(tape, tape.emit(ops::kConv, ConvAttrs{3, 1, 1}, inputs, kLayer));
        }) == "conv: has no gradient for input 3");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          ConvAttrs attrs{3, 1, 1};
          attrs.reads_bias = false;
          const std::vector<Value> inputs{param("x"), param("w"), param("x")};
          return loss_of(tape, tape.emit(ops::kConv, attrs, inputs, kLayer));
        }) == "conv: a residual has no gradient");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          return loss_of(tape, tape.timestep_embedding(kLayer, param("b"), {.channels = 2}));
        }) == "timestep_embedding: has no gradient");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const ConvAttrs fused{3, 1, 1, false, Activation::kGelu};
          return loss_of(
              tape, tape.emit(ops::kConv, fused, {param("x"), param("w"), param("b")}, kLayer));
        }) == "conv: a fused activation or packed weight has no gradient");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          return tape.mse_loss(param("x"), param("w"));
        }) == "mse_loss: has no gradient for input 1");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          return loss_of(tape, tape.concat(kLayer, {param("x"), param("y")}));
        }) == "concat gradient: batches 2 and 4 differ");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          return loss_of(tape, tape.add(kLayer, param("y"), param("s")));
        }) == "add gradient: batches 4 and 2 differ");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const std::vector<Value> inputs{param("y"), param("b"), param("b"), param("s")};
          const GroupNormAttrs attrs{.groups = 1, .shifts = true};
          return loss_of(tape, tape.emit(ops::kGroupNorm, attrs, inputs, kLayer));
        }) == "group_norm gradient: batches 4 and 2 differ");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          return loss_of(tape, tape.attention(kLayer, param("y"), param("x"), param("x"), 1));
        }) == "attention gradient: batches 4 and 2 differ");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const Value x = param("x");
          return loss_of(tape, tape.attention(kLayer, x, x, x, 1, {.bias = param("bias")}));
        }) == "attention: has no gradient for its bias");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const Value x = param("x");
          const Shape s = tape.shape(x);
          const int64_t n = s[0], tokens = s.elements() / n / s.back();
          const Value bias = tape.input(Tensor::zeros(*context, {n, 1, tokens, tokens}));
          return loss_of(tape, tape.attention(kLayer, x, x, x, 1, {.bias = bias}));
        }) == "attention: has no gradient where each image has a bias of its own");
  CHECK(backward_error([&](Tape& tape, const auto& param) {
          const Value x = param("x");
          return loss_of(tape, tape.attention(kLayer, x, x, x, 1, {.extra_v = x}));
        }) == "layer: attention has one of extra_k and extra_v, expected both or none");
}

TEST_CASE("inputs get no gradient: the first layer's data gradient is not computed", "[autograd]") {
  const auto context = test::cpu_context();
  const std::vector<ParamSpec> specs{plain("layer.weight", {2, 3, 3, 1}), plain("layer.bias", {2})};
  ParamStore store(*context, specs, false);
  store.initialize(1);
  Tape tape(*context, store, Mode::kTrain);
  const Value x = tape.input(Tensor::zeros(*context, {2, 5, 5, 1}));
  const Value y = tape.conv2d(kLayer, x, 2, 3, 1, 1);
  const Value loss = tape.mse_loss(y, tape.input(Tensor::zeros(*context, {2, 5, 5, 2})));
  context->enable_profiler();
  tape.backward(loss);
  const std::string table = context->profiler()->table();
  CHECK_THAT(table, Catch::Matchers::Contains("conv_backward_weight"));
  CHECK_THAT(table, !Catch::Matchers::Contains("conv_backward_input"));
}

TEST_CASE("a wrong parameter shape is named", "[autograd]") {
  TwoVectors v;
  Tape tape(v.context(), v.store, Mode::kTrain);
  CHECK(message_of<ShapeError>([&] { tape.param(Scope("p"), {4}, {}); }) ==
        "parameter p has shape [2, 2], expected [4]");
  CHECK_THROWS_AS(tape.param(Scope("r"), {2, 2}, {}), Error);
}

TEST_CASE("going back frees activations and gradients on the way", "[autograd]") {
  test::PoisonedContext poisoned;
  Context& context = poisoned.get();
  const Network network = test::make_test_network(test::test_networks()[3]);
  ParamStore store(context, list_params(network), false);
  store.initialize(1);
  const TensorMap inputs = test::random_inputs(context, network, 2, 1);
  const int64_t before = poisoned.allocator().stats().bytes_in_use;
  Tape tape(context, store, Mode::kTrain);
  const Value y = test::forward(tape, network, inputs);
  const Value loss = tape.mse_loss(y, tape.input(inputs.at("x")));
  CHECK(poisoned.allocator().stats().bytes_in_use > before + 100000);
  tape.backward(loss);
  CHECK(poisoned.allocator().stats().bytes_in_use <= before + Allocator::kAlignment);
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

}  // namespace
}  // namespace ebb
