// A UNet with GroupNorm and attention against PyTorch (tests/golden/unet_goldens.py), and every
// reader of its text against the others.

#include "testing/unet_attention.h"

#include <utility>

#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "nn/autograd/tape.h"
#include "nn/autograd/trainer.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/golden.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using autograd::Mode;
using autograd::ParamStore;
using autograd::Tape;
using autograd::Trainer;

struct Case {
  explicit Case(Context& on) : context(on) {
    inputs["x"] = golden.activation(context, "input.x");
    inputs["t"] = golden.activation(context, "input.t");
    target = golden.activation(context, "target");
    for (const ParamSpec& spec : specs) {
      params[spec.name] = golden.param(context, "param.", spec);
    }
  }

  void load(const ParamStore& store) const {
    for (const auto& [name, value] : params) store.value(name).copy_from(value);
  }

  Context& context;
  test::Golden golden{"unet_attention"};
  Network network = test::unet_attention();
  std::vector<ParamSpec> specs = list_params(network);
  TensorMap inputs, params;
  Tensor target;
};

TEST_CASE("the UNet with attention has PyTorch's parameters, output and gradients", "[autograd]") {
  const auto context = test::cpu_context();
  const Case c(*context);
  CHECK(c.golden.names_after("param.").size() == c.specs.size());
  ParamStore store(*context, c.specs, false);
  c.load(store);
  Tape tape(*context, store, Mode::kTrain);
  const Value y = test::forward(tape, c.network, c.inputs);
  // Limits as for the other networks (golden_test.cc). PyTorch's own f32 is within 4e-13 of f64,
  // its gradients within 3e-12.
  CHECK(test::nmse(tape.tensor(y), c.golden.activation(*context, "adam64.output")) <= 1e-10);
  const Value loss = tape.mse_loss(y, tape.input(c.target));
  tape.backward(loss);
  for (const ParamSpec& spec : c.specs) {
    INFO(spec.name);
    CHECK(test::nmse(store.grad(spec.name), c.golden.param(*context, "adam64.grad.", spec)) <=
          1e-9);
  }
}

TEST_CASE("ten Adam steps of the UNet with attention are PyTorch's", "[autograd]") {
  const auto context = test::cpu_context();
  const Case c(*context);
  Trainer trainer(*context, c.network, {});
  c.load(trainer.params());
  for (size_t step = 0; step < 10; ++step) {
    INFO("step " << step);
    const autograd::StepResult result = trainer.step(c.inputs, c.target, 1e-3);
    CHECK(result.loss == Approx(c.golden.values("adam64.losses").at(step)).epsilon(2e-6));
  }
  for (const ParamSpec& spec : c.specs) {
    INFO(spec.name);
    std::vector<float> moved = trainer.params().value(spec.name).to_host();
    std::vector<double> expected =
        test::to_double(c.golden.param(*context, "adam64.param.", spec).to_host());
    const std::vector<float> start = c.params.at(spec.name).to_host();
    for (size_t i = 0; i < start.size(); ++i) {
      moved[i] -= start[i];
      expected[i] -= start[i];
    }
    CHECK(test::nmse(moved, expected) <= 1e-6);
  }
}

Tensor run_graph(Context& context, const Graph& graph, const Case& c) {
  Executor executor(context, graph, c.params);
  for (const auto& [name, value] : c.inputs) executor.set_input(name, value);
  return executor.run();
}

TEST_CASE("graph, tape and eager evaluation of the UNet with attention agree bitwise",
          "[autograd]") {
  test::PoisonedContext poisoned;
  {
    const Case c(poisoned.get());
    const int64_t batch = c.target.shape()[0];
    EagerOps eager(c.context, c.params);
    const Tensor expected = eager.tensor(test::forward(eager, c.network, c.inputs));
    ParamStore store(c.context, c.specs, false);
    c.load(store);
    Tape tape(c.context, store, Mode::kEval);
    CHECK(test::compare_bits(tape.tensor(test::forward(tape, c.network, c.inputs)), expected) ==
          "");
    const Graph graph = build_graph(c.network, batch);
    CHECK(test::compare_bits(run_graph(c.context, graph, c), expected) == "");
    // Merged additions and packed weights round as the separate ones; nothing is folded.
    CHECK(test::nmse(run_graph(c.context, optimize(graph, c.context), c), expected) <= 1e-12);
  }
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

TEST_CASE("one image of a batch through the UNet with attention does not see the others",
          "[autograd]") {
  const auto context = test::cpu_context();
  Case c(*context);
  const Tensor both = run_graph(*context, build_graph(c.network, 2), c);
  for (int64_t n = 0; n < 2; ++n) {
    Case one(*context);
    for (auto& [name, value] : one.inputs) value = test::images(value, n, 1);
    CHECK(test::compare_bits(run_graph(*context, build_graph(c.network, 1), one),
                             test::images(both, n, 1)) == "");
  }
}

// One image under two times: a guided step's shape of batches.
TEST_CASE("branches of the UNet with attention share what is theirs", "[autograd]") {
  const auto context = test::cpu_context();
  Case c(*context);
  c.inputs["x"] = test::images(c.inputs["x"], 0, 1);
  const Tensor both = run_graph(*context, build_graph(c.network, {{"x", 1}, {"t", 2}}), c);
  const Tensor t = c.inputs["t"];
  for (int64_t n = 0; n < 2; ++n) {
    c.inputs["t"] = test::images(t, n, 1);
    CHECK(test::compare_bits(run_graph(*context, build_graph(c.network, 1), c),
                             test::images(both, n, 1)) == "");
  }
}

#if EBB_TEST_EMULATOR
std::pair<std::vector<double>, std::vector<float>> two_steps(Context& context) {
  const Case c(context);
  Trainer trainer(context, c.network, {});
  c.load(trainer.params());
  std::vector<double> losses;
  for (int step = 0; step < 2; ++step) {
    losses.push_back(trainer.step(c.inputs, c.target, 1e-3).loss);
  }
  return {losses, trainer.params().values().to_host()};
}

// Limits of "training steps on the CUDA kernels follow the CPU's" (emulation_test.cc).
TEST_CASE("two steps of the UNet with attention on the CUDA kernels follow the CPU's",
          "[autograd][emu]") {
  const auto cpu = test::cpu_context();
  const auto emu = make_context("emu", 1);
  const auto [expected_losses, expected] = two_steps(*cpu);
  const auto [losses, actual] = two_steps(*emu);
  for (size_t step = 0; step < 2; ++step) {
    INFO("step " << step);
    CHECK(losses[step] == Approx(expected_losses[step]).epsilon(1e-5));
  }
  CHECK(test::nmse(actual, test::to_double(expected)) < 1e-6);
}

// Activations of bf16 are off by up to 2^-9 each, through some twenty layers.
TEST_CASE("the UNet with attention trains in bf16", "[autograd][emu]") {
  const auto cpu = test::cpu_context();
  const auto emu = make_context("emu", 1, Precision::kBF16);
  const auto [expected_losses, expected] = two_steps(*cpu);
  const auto [losses, actual] = two_steps(*emu);
  for (size_t step = 0; step < 2; ++step) {
    INFO("step " << step);
    CHECK(losses[step] == Approx(expected_losses[step]).epsilon(0.03));
    CHECK(losses[step] != expected_losses[step]);
  }
}
#endif

}  // namespace
}  // namespace ebb
