// Whole networks on the CUDA kernels, which the emulator runs and checks.

#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "kernels/simt/emulator.h"
#include "nn/autograd/trainer.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"
#include "tests/nn/small_networks.h"

namespace ebb {
namespace {

using autograd::Trainer;

Network class_network(int64_t hidden) {
  return make_network(test::mnist_config("class", "add", hidden), "class");
}

// A guided step's shape of batches: the image once, the conditions of two branches.
Tensor run_network(Context& context, const Network& network, bool with_passes) {
  const std::map<std::string, int64_t> batch{{"x", 1}, {"t", 1}, {"c", 2}};
  Graph graph = build_graph(network, batch, activation_dtype(context.precision()));
  if (with_passes) graph = optimize(graph, context);
  Executor executor(context, graph, test::random_params(context, network, 1));
  for (const auto& [name, value] : test::random_inputs(context, network, batch, 2)) {
    executor.set_input(name, value);
  }
  return executor.run();
}

TEST_CASE("the class network of width 8 on the CUDA kernels equals the CPU's", "[nn][emu]") {
  const auto emu = make_context("emu", 1);
  const auto cpu = test::cpu_context();
  const Network network = class_network(8);
  const bool with_passes = GENERATE(false, true);
  CAPTURE(with_passes);
  const Tensor expected = run_network(*cpu, network, with_passes);
  const Tensor checked = run_network(*emu, network, with_passes);
  // Some twenty layers deep, each with f32 sums of up to 1152 terms.
  CHECK(test::nmse(checked, expected) < 1e-11);

  using simt::emulator::Order;
  for (const Order order : {Order::kReverse, Order::kShuffled}) {
    simt::emulator::options() = {.order = order};
    CHECK(test::compare_bits(run_network(*emu, network, with_passes), checked) == "");
  }
  simt::emulator::options() = {};
}

// Some twenty layers, in each of which values or what is multiplied are off by up to 2^-9 (bf16),
// 2^-12 (f16, tf32 twice) of themselves.
TEST_CASE("the class network in 16 bits and in tf32 is as close to the CPU's as its rounding",
          "[nn][emu]") {
  const auto cpu = test::cpu_context();
  const Network network = class_network(8);
  const bool with_passes = GENERATE(false, true);
  const Precision precision = GENERATE(Precision::kTf32, Precision::kBF16, Precision::kF16);
  CAPTURE(with_passes, to_string(precision));
  const auto emu = make_context("emu", 1, precision);
  const Tensor rounded = run_network(*emu, network, with_passes);
  CHECK(rounded.dtype() == DType::kF32);
  const double error = test::nmse(rounded, run_network(*cpu, network, with_passes));
  const double unit = precision == Precision::kBF16 ? 0x1p-9 : 0x1p-12;
  CHECK(error < 40 * unit * unit);
  CHECK(error > unit * unit / 40);  // it did round

  using simt::emulator::Order;
  simt::emulator::options() = {.order = Order::kShuffled};
  CHECK(test::compare_bits(run_network(*emu, network, with_passes), rounded) == "");
  simt::emulator::options() = {};
}

TEST_CASE("weights stored in 16 bits are packed on the device as their f32 values are",
          "[nn][emu]") {
  const Precision precision = GENERATE(Precision::kF32, Precision::kF16);
  const DType stored = GENERATE(DType::kF16, DType::kBF16);
  CAPTURE(to_string(precision), to_string(stored));
  const auto emu = make_context("emu", 1, precision);
  const Network network = class_network(4);
  TensorMap narrow, wide;
  for (const auto& [name, tensor] : test::random_params(*emu, network, 1)) {
    narrow[name] = to_dtype(*emu, tensor, stored);
    wide[name] = to_dtype(*emu, narrow[name], DType::kF32);
  }
  const auto run = [&](const TensorMap& params) {
    Executor executor(*emu, inference_graph(network, 1, *emu), params);
    for (const auto& [name, value] : test::random_inputs(*emu, network, 1, 2)) {
      executor.set_input(name, value);
    }
    return executor.run();
  };
  CHECK(test::compare_bits(run(narrow), run(wide)) == "");
  make_context("emu", 1);  // the others of this process are f32
}

TEST_CASE("ids look up rows in 16 bits", "[nn][emu]") {
  const auto emu = make_context("emu", 1, Precision::kBF16);
  CHECK(test::check_token_network(*emu, 3 * 0x1p-9) == "");  // x, the row and their sum are rounded
  CHECK(test::check_token_network(*emu, 1e-6) != "");
  make_context("emu", 1);  // the others of this process are f32
}

// Five layers deep; bf16 rounds by up to 2^-9 in each.
TEST_CASE("operations that no model uses yet equal the CPU's on the CUDA kernels", "[nn][emu]") {
  const Tensor expected = test::run_mixed_network(*test::cpu_context());
  CHECK(test::nmse(test::run_mixed_network(*make_context("emu", 1)), expected) < 1e-11);
  const auto rounds = make_context("emu", 1, Precision::kBF16);
  const double error = test::nmse(test::run_mixed_network(*rounds), expected);
  CHECK(error < 10 * 0x1p-18);
  CHECK(error > 0x1p-18 / 40);
  make_context("emu", 1);  // the others of this process are f32
}

TEST_CASE("their gradients equal the CPU's on the CUDA kernels", "[nn][emu]") {
  const auto train = [](Context& context) {
    Trainer trainer(context, test::mixed_network(), {});
    trainer.params().initialize(3);
    const Tensor target = Tensor::zeros(context, {2, 4, 4, 3});
    CHECK(trainer.step(test::mixed_inputs(context), target, 1e-3).updated);
    std::vector<float> gradients;
    for (const auto& [name, grad] : trainer.params().grads_by_name()) {
      const std::vector<float> values = grad.to_host();
      gradients.insert(gradients.end(), values.begin(), values.end());
    }
    return gradients;
  };
  const auto emu = make_context("emu", 1);
  const std::vector<float> expected = train(*test::cpu_context());
  CHECK(test::nmse(train(*emu), test::to_double(expected)) < 1e-10);
}

TEST_CASE("activations of 16 bits take half the memory", "[nn][emu]") {
  const Network network = class_network(8);
  const auto arena_bytes = [&](Precision precision) {
    const auto emu = make_context("emu", 1, precision);
    const Graph graph = build_graph(network, 2, activation_dtype(precision));
    return Executor(*emu, optimize(graph, *emu), test::random_params(*emu, network, 1))
        .arena_bytes();
  };
  const int64_t f32 = arena_bytes(Precision::kF32), f16 = arena_bytes(Precision::kF16);
  CHECK(f16 < 0.55 * static_cast<double>(f32));
  CHECK(f16 > 0.45 * static_cast<double>(f32));
}

TEST_CASE("training steps on the CUDA kernels follow the CPU's", "[nn][emu]") {
  const auto emu = make_context("emu", 1);
  const auto cpu = test::cpu_context();
  const Network network = class_network(4);
  const auto train = [&](Context& context) {
    Trainer trainer(context, network, {.adam = {}, .ema_decay = 0.9, .clip_norm = 1.0});
    trainer.params().initialize(3);
    std::vector<autograd::StepResult> results;
    for (uint64_t step = 0; step < 2; ++step) {
      test::RandomData random(100 + step);
      const TensorMap inputs = test::random_inputs(context, network, 2, step);
      results.push_back(
          trainer.step(inputs, test::normal_tensor(context, {2, 28, 28, 1}, random), 1e-3));
    }
    return std::pair(results, trainer.params().ema().to_host());
  };
  const auto [expected, expected_ema] = train(*cpu);
  const auto [actual, actual_ema] = train(*emu);
  for (size_t i = 0; i < expected.size(); ++i) {
    CAPTURE(i);
    CHECK(actual[i].updated);
    CHECK(actual[i].loss == Approx(expected[i].loss).epsilon(1e-5));
    CHECK(actual[i].grad_norm == Approx(expected[i].grad_norm).epsilon(1e-4));
  }
  CHECK(test::nmse(actual_ema, test::to_double(expected_ema)) < 1e-6);
}

// Losses of some steps with the same batches, and what the weights become.
struct Training {
  std::vector<double> losses;
  std::vector<float> weights;
};
Training train_class(Context& context) {
  const Network network = class_network(4);
  Trainer trainer(context, network, {});
  trainer.params().initialize(3);
  Training training;
  for (uint64_t step = 0; step < 3; ++step) {
    test::RandomData random(100 + step);
    const TensorMap inputs = test::random_inputs(context, network, 4, step);
    const autograd::StepResult result =
        trainer.step(inputs, test::normal_tensor(context, {4, 28, 28, 1}, random), 1e-3);
    CHECK(result.updated);
    training.losses.push_back(result.loss);
  }
  training.weights = trainer.params().values().to_host();
  return training;
}

// Activations of bf16 are off by up to 2^-9 each, independently, through some twenty layers that
// BatchNorm keeps at the same size: sqrt(20) 2^-9, about 1 %, and as much again for the gradients
// that the weights of later steps come from.
TEST_CASE("training in bf16 follows training in f32", "[nn][emu]") {
  const auto emu = make_context("emu", 1, Precision::kBF16);
  const auto cpu = test::cpu_context();
  const Training exact = train_class(*cpu), rounded = train_class(*emu);
  for (size_t step = 0; step < exact.losses.size(); ++step) {
    CAPTURE(step, exact.losses[step]);
    CHECK(rounded.losses[step] == Approx(exact.losses[step]).epsilon(0.02));
    CHECK(rounded.losses[step] != exact.losses[step]);
  }
  // Master weights keep what bf16 would lose: steps of 1e-3 in f32.
  bool beyond_bf16 = false;
  for (float w : rounded.weights) beyond_bf16 |= bf16_to_f32(f32_to_bf16(w)) != w;
  CHECK(beyond_bf16);
}

TEST_CASE("a training step in bf16 gives the same bits whatever the order of threads",
          "[nn][emu]") {
  const auto emu = make_context("emu", 1, Precision::kBF16);
  const std::vector<float> first = train_class(*emu).weights;
  using simt::emulator::Order;
  for (const Order order : {Order::kReverse, Order::kShuffled}) {
    simt::emulator::options() = {.order = order};
    CHECK(test::compare_bits(train_class(*emu).weights, first) == "");
  }
  simt::emulator::options() = {};
}

}  // namespace
}  // namespace ebb
