#include "nn/autograd/trainer.h"

#include <cmath>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using autograd::ParamStore;
using autograd::StepResult;
using autograd::Trainer;
using autograd::TrainerConfig;
using test::compare_bits;

constexpr int64_t kBatch = 2;
constexpr double kLr = 1e-3;

struct Batch {
  TensorMap inputs;
  Tensor target;
};

Batch random_batch(const Context& context, const Network& network, uint64_t seed) {
  test::RandomData random(seed + 1000);
  return {test::random_inputs(context, network, kBatch, seed),
          test::normal_tensor(context, {kBatch, 28, 28, 1}, random)};
}

Network class_network() { return test::make_test_network(test::test_networks()[3]); }

// Everything that a step changes.
std::map<std::string, std::vector<float>> state_of(const Trainer& trainer) {
  const ParamStore& p = trainer.params();
  std::map<std::string, std::vector<float>> state{
      {"values", p.values().to_host()},
      {"first moments", p.first_moments().to_host()},
      {"second moments", p.second_moments().to_host()},
      {"buffers", p.buffers().to_host()},
      {"updates", {static_cast<float>(trainer.updates())}}};
  if (p.has_ema()) {
    state["ema"] = p.ema().to_host();
    state["ema buffers"] = p.ema_buffers().to_host();
  }
  return state;
}

// Name of the first part that differs in any bit, empty when there is none.
std::string first_difference(const Trainer& a, const Trainer& b) {
  const auto state_a = state_of(a), state_b = state_of(b);
  for (const auto& [name, values] : state_a) {
    if (!compare_bits(values, state_b.at(name)).empty()) return name;
  }
  return "";
}

std::unique_ptr<Trainer> make_trainer(Context& context, const TrainerConfig& config) {
  auto trainer = std::make_unique<Trainer>(context, class_network(), config);
  trainer->params().initialize(17);
  return trainer;
}

std::unique_ptr<Trainer> trained(Context& context, const TrainerConfig& config, uint64_t steps) {
  auto trainer = make_trainer(context, config);
  for (uint64_t step = 0; step < steps; ++step) {
    const Batch batch = random_batch(context, trainer->network(), step);
    trainer->step(batch.inputs, batch.target, kLr);
  }
  return trainer;
}

const TrainerConfig kWithEma{.adam = {}, .ema_decay = 0.99, .clip_norm = 1};

TEST_CASE("training is repeatable to the last bit", "[autograd]") {
  const auto context = test::cpu_context();
  const auto first = trained(*context, kWithEma, 3), second = trained(*context, kWithEma, 3);
  CHECK(first_difference(*first, *second) == "");
  CHECK(first_difference(*first, *trained(*context, kWithEma, 2)) != "");
}

TEST_CASE("training does not depend on the number of threads", "[autograd]") {
  const auto one = test::cpu_context(1), two = test::cpu_context(2), three = test::cpu_context(3);
  const auto reference = trained(*one, kWithEma, 3);
  CHECK(first_difference(*reference, *trained(*two, kWithEma, 3)) == "");
  CHECK(first_difference(*reference, *trained(*three, kWithEma, 3)) == "");
}

TEST_CASE("training reads no memory that it did not write", "[autograd]") {
  const auto context = test::cpu_context();
  test::PoisonedContext poisoned;
  const auto reference = trained(*context, kWithEma, 2);
  const auto trainer = trained(poisoned.get(), kWithEma, 2);
  CHECK(first_difference(*reference, *trainer) == "");
  CHECK(poisoned.allocator().damaged_blocks() == 0);
}

TEST_CASE("training goes on from a copied state as if it had not stopped", "[autograd]") {
  const auto context = test::cpu_context();
  const auto straight = trained(*context, kWithEma, 4), stopped = trained(*context, kWithEma, 2);
  auto resumed = make_trainer(*context, kWithEma);
  const ParamStore &from = stopped->params(), &to = resumed->params();
  to.values().copy_from(from.values());
  to.first_moments().copy_from(from.first_moments());
  to.second_moments().copy_from(from.second_moments());
  to.buffers().copy_from(from.buffers());
  to.ema().copy_from(from.ema());
  to.ema_buffers().copy_from(from.ema_buffers());
  resumed->set_updates(stopped->updates());
  for (uint64_t step : {2, 3}) {
    const Batch batch = random_batch(*context, resumed->network(), step);
    resumed->step(batch.inputs, batch.target, kLr);
  }
  CHECK(first_difference(*straight, *resumed) == "");
}

TEST_CASE("a step that is not finite changes nothing and says so", "[autograd]") {
  struct Fault {
    float value;
    std::string where;
  };
  const Fault faults[] = {
      {NAN, "target"}, {NAN, "x"},      {NAN, "t"},       {INFINITY, "target"},
      {INFINITY, "x"}, {INFINITY, "t"}, {1e30f, "target"}};  // its square is beyond f32
  const auto context = test::cpu_context();
  const auto trainer = trained(*context, kWithEma, 2), untouched = trained(*context, kWithEma, 2);
  for (const Fault& fault : faults) {
    Batch batch = random_batch(*context, trainer->network(), 50);
    const Tensor& hit = fault.where == "target" ? batch.target : batch.inputs.at(fault.where);
    hit.data<float>()[1] = fault.value;
    const StepResult result = trainer->step(batch.inputs, batch.target, kLr);
    INFO(fault.value << " in " << fault.where);
    CHECK_FALSE(result.updated);
    const bool finite = std::isfinite(result.loss) && std::isfinite(result.grad_norm);
    CHECK_FALSE(finite);
    CHECK(first_difference(*trainer, *untouched) == "");
  }
}

TEST_CASE("a gradient that overflows under a finite loss changes nothing either", "[autograd]") {
  const auto context = test::cpu_context();
  auto trainer = make_trainer(*context, kWithEma);
  const auto scale = [](const Tensor& tensor, float factor) {
    std::vector<float> values = tensor.to_host();
    for (float& value : values) value *= factor;
    tensor.copy_from_host(values);
  };
  // The last layer's input times the error of its output: 1e30 * 1e10 is beyond f32.
  scale(trainer->params().value("out_conv.conv2.bn.weight"), 1e30f);
  scale(trainer->params().value("out.weight"), 1e-30f);
  Batch batch = random_batch(*context, trainer->network(), 0);
  scale(batch.target, 1e10f);
  const auto before = state_of(*trainer);
  const StepResult result = trainer->step(batch.inputs, batch.target, kLr);
  CHECK(std::isfinite(result.loss));
  CHECK_FALSE(std::isfinite(result.grad_norm));
  CHECK_FALSE(result.updated);
  CHECK(trainer->params().first_nonfinite_grad() == "out.weight");
  CHECK(state_of(*trainer) == before);
}

TEST_CASE("training goes on after a step that was not finite", "[autograd]") {
  const auto context = test::cpu_context();
  const auto straight = trained(*context, kWithEma, 3);
  auto trainer = trained(*context, kWithEma, 2);
  Batch batch = random_batch(*context, trainer->network(), 2);
  const Tensor target = batch.target;
  batch.target = Tensor::from_host(*context, target.shape(),
                                   std::vector<float>(static_cast<size_t>(target.elements()), NAN));
  CHECK_FALSE(trainer->step(batch.inputs, batch.target, kLr).updated);
  CHECK(trainer->updates() == 2);
  const StepResult result = trainer->step(batch.inputs, target, kLr);
  CHECK(result.updated);
  CHECK(first_difference(*straight, *trainer) == "");
}

TEST_CASE("gradients beyond the clipping norm are scaled down to it", "[autograd]") {
  const auto context = test::cpu_context();
  const auto plain = make_trainer(*context, {});
  const Batch batch = random_batch(*context, plain->network(), 0);
  const double norm = plain->step(batch.inputs, batch.target, kLr).grad_norm;
  REQUIRE(norm > 0);
  const std::vector<float> moments = plain->params().first_moments().to_host();
  for (const double clip : {norm / 4, norm * 2}) {
    const auto clipped = make_trainer(*context, {.adam = {}, .ema_decay = 0, .clip_norm = clip});
    const StepResult result = clipped->step(batch.inputs, batch.target, kLr);
    CHECK(result.grad_norm == norm);  // as it was before clipping
    std::vector<double> expected;
    for (double m : moments) expected.push_back(m * std::min(1.0, clip / norm));
    CHECK(test::compare(clipped->params().first_moments().to_host(), expected, {1e-12, 1e-6}) ==
          "");
  }
}

TEST_CASE("a step's learning rate, moments and average are those of its formulas", "[autograd]") {
  const auto context = test::cpu_context();
  auto trainer = make_trainer(*context, {.adam = {}, .ema_decay = 0.9});
  const Batch batch = random_batch(*context, trainer->network(), 0);
  const ParamStore& p = trainer->params();
  const std::vector<float> values = p.values().to_host(), buffers = p.buffers().to_host();
  CHECK(trainer->step(batch.inputs, batch.target, 0.02).updated);
  CHECK(trainer->updates() == 1);
  const std::vector<float> grads = p.grads().to_host();
  std::vector<double> moved, averaged, averaged_buffers;
  for (size_t i = 0; i < values.size(); ++i) {
    // The first step moves by lr g / (|g| + eps), whatever the betas.
    const double g = grads[i], after = values[i] - 0.02 * g / (std::fabs(g) + 1e-8);
    moved.push_back(after);
    averaged.push_back(0.9 * values[i] + 0.1 * after);
  }
  const std::vector<float> buffers_now = p.buffers().to_host();
  for (size_t i = 0; i < buffers.size(); ++i) {
    averaged_buffers.push_back(0.9 * buffers[i] + 0.1 * static_cast<double>(buffers_now[i]));
  }
  CHECK(buffers_now != buffers);
  CHECK(test::compare(p.values().to_host(), moved, {2e-7, 1e-7}) == "");
  CHECK(test::compare(p.ema().to_host(), averaged, {2e-7, 1e-7}) == "");
  CHECK(test::compare(p.ema_buffers().to_host(), averaged_buffers, {2e-7, 2e-7}) == "");
}

TEST_CASE("training fits one batch and repeats its memory", "[autograd]") {
  const auto context = test::cpu_context();
  auto trainer = make_trainer(*context, {});
  const Batch batch = random_batch(*context, trainer->network(), 0);
  const double first = trainer->step(batch.inputs, batch.target, 5e-3).loss;
  trainer->step(batch.inputs, batch.target, 5e-3);
  const int64_t system_allocations = context->allocator()->stats().system_allocations;
  double last = first;
  for (int step = 0; step < 60; ++step) {
    last = trainer->step(batch.inputs, batch.target, 5e-3).loss;
  }
  CHECK(last < 0.9 * first);
  CHECK(context->allocator()->stats().system_allocations == system_allocations);
}

}  // namespace
}  // namespace ebb
