// Training steps of diffusers' UNets against PyTorch (tests/golden/diffusers_goldens.py and
// training_goldens.py).

#include <cmath>

#include "nn/autograd/trainer.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

using autograd::Trainer;

TEST_CASE("three Adam steps of diffusers' UNets have PyTorch's losses", "[autograd]") {
  const auto context = test::cpu_context();
  for (const std::string& name : test::unet_goldens()) {
    const test::UnetGolden c(*context, name);
    Trainer trainer(*context, c.network, {});
    for (const auto& [param, value] : c.params) trainer.params().value(param).copy_from(value);
    const Tensor target = c.golden.activation(*context, "target");
    const std::vector<float> losses = c.golden.values("adam64.losses");
    for (size_t step = 0; step < losses.size(); ++step) {
      INFO(name << ", step " << step);
      const autograd::StepResult result = trainer.step(c.inputs, target, 1e-3);
      CHECK(result.updated);
      CHECK(result.loss == Approx(losses[step]).epsilon(1e-5));
    }
  }
}

// The loss that training_goldens.py writes out, of the network's output.
Network with_hybrid_loss(const Network& network) {
  Network training = network;
  const Shape image{8, 8, 3};
  training.inputs.push_back({"noise", image, InputRole::kSample, DType::kF32, true});
  training.inputs.push_back({"images", image, InputRole::kSample, DType::kF32, true});
  training.inputs.push_back({"steps", {4}, InputRole::kCondition, DType::kF32, true});
  training.forward = [network](Ops& ops, const std::vector<Value>& values) {
    const size_t own = values.size() - 3;
    const Value output = network.forward(ops, {values.begin(), values.begin() + own});
    const Value prediction = ops.in_type(Scope("loss"), output, DType::kF32);
    return ops.learned_range_loss(prediction, values[own], values[own + 1], values[own + 2], 1);
  };
  return training;
}

// Between two tensors, or from zero.
double squared_distance(const Tensor& a, const Tensor& b) {
  const std::vector<float> x = a.to_host();
  const std::vector<float> y = b.defined() ? b.to_host() : std::vector<float>(x.size());
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += std::pow(double{x[i]} - double{y[i]}, 2);
  return sum;
}

void check_training(Context& context, const std::string& name) {
  test::UnetGolden c(context, name);
  const test::Golden golden("training_" + name);
  for (auto& [input, value] : c.inputs) value = golden.activation(context, "input." + input);
  for (const char* input : {"noise", "images", "steps"}) {
    c.inputs[input] = golden.activation(context, input);
  }
  Trainer trainer(
      context, with_hybrid_loss(c.network),
      {.loss = autograd::Loss::kOutput, .adam = {.weight_decay = 0.1}, .clip_norm = 0.5});
  const autograd::ParamStore& params = trainer.params();
  for (const auto& [param, value] : c.params) params.value(param).copy_from(value);
  const std::vector<float> losses = golden.values("losses"), norms = golden.values("norms");
  for (size_t step = 0; step < losses.size(); ++step) {
    INFO(name << ", step " << step);
    const autograd::StepResult result = trainer.step(c.inputs, Tensor(), 1e-3);
    CHECK(result.updated);
    CHECK(result.loss == Approx(losses[step]).epsilon(1e-5));
    CHECK(result.grad_norm == Approx(norms[step]).epsilon(1e-4));
    for (const ParamSpec& spec : c.specs) {
      if (step > 0) break;
      INFO(spec.name);
      const double error =
          squared_distance(params.grad(spec.name), golden.param(context, "grad.", spec));
      const double size = squared_distance(golden.param(context, "grad.", spec), {});
      // A bias of all keys, and one in front of a norm, have none but for rounding.
      CHECK(error <= 1e-8 * size + 1e-14 * norms[0] * norms[0]);
    }
  }
  double squares = 0, changes = 0;
  for (const ParamSpec& spec : c.specs) {
    const Tensor expected = golden.param(context, "param.", spec);
    squares += squared_distance(params.value(spec.name), expected);
    changes += squared_distance(c.params.at(spec.name), expected);
  }
  CHECK(squares <= 1e-3 * changes);
}

TEST_CASE("AdamW steps with the hybrid loss of DeepFloyd IF's UNets are PyTorch's", "[autograd]") {
  const auto context = test::cpu_context();
  for (const char* name : {"if_stage_1", "if_stage_2"}) check_training(*context, name);
}

#if EBB_TEST_EMULATOR
TEST_CASE("AdamW steps with the hybrid loss are PyTorch's on the CUDA kernels", "[autograd][emu]") {
  const auto context = make_context("emu", 1);
  for (const char* name : {"if_stage_1", "if_stage_2"}) check_training(*context, name);
}
#endif

}  // namespace
}  // namespace ebb
