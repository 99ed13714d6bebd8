#include "nn/autograd/optimizer.h"

#include <cmath>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/reference/adam.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

using autograd::AdamConfig;
using autograd::ParamStore;

// A step's state that scales the gradients of the store by `scale`, in (0, 1].
void decide(Context& context, const ParamStore& store, autograd::StepState& state, double scale) {
  const Tensor sum_squares = autograd::grad_sum_squares(context, store);
  const double norm = std::sqrt(*static_cast<const double*>(sum_squares.raw()));
  state.decide(context, Tensor::zeros(context, {1}), sum_squares, scale * norm);
}

// Two parameters with padding between them, and running statistics.
const std::vector<ParamSpec> kSpecs = {
    {"a", {19}, {.init = {.bound = 1}}},
    {"b", {3, 5}, {.init = {.bound = 1}}},
    {"mean", {4}, {.init = {.constant = 1}, .trainable = false}}};

void set_random_grads(const ParamStore& store, test::RandomData& random) {
  for (const char* name : {"a", "b"}) {
    const Tensor& grad = store.grad(name);
    grad.copy_from_host(random.normal(grad.elements(), 0, 0.3));
  }
}

TEST_CASE("the sum of squares is over the gradients of all parameters", "[autograd]") {
  const auto context = test::cpu_context();
  ParamStore store(*context, kSpecs, false);
  const auto sum_squares = [&] {
    const Tensor result = autograd::grad_sum_squares(*context, store);
    return *static_cast<const double*>(result.raw());
  };
  CHECK(sum_squares() == 0);
  test::RandomData random(1);
  set_random_grads(store, random);
  double sum = 0;
  for (const char* name : {"a", "b"}) {
    for (double g : store.grad(name).to_host()) sum += g * g;
  }
  CHECK(sum_squares() == Approx(sum).epsilon(1e-12));
  store.grad("b").data<float>()[14] = INFINITY;
  CHECK_FALSE(std::isfinite(sum_squares()));
  store.grad("b").data<float>()[14] = NAN;
  CHECK_FALSE(std::isfinite(sum_squares()));
}

TEST_CASE("Adam follows its reference in double precision, from the first step on", "[autograd]") {
  const auto context = test::cpu_context();
  for (const double scale : {1.0, 0.25}) {
    ParamStore store(*context, kSpecs, false);
    store.initialize(3);
    const std::vector<double> start = test::to_double(store.values().to_host());
    const size_t count = start.size();
    reference::Adam adam{
        2e-3, 0.9, 0.999, 1e-8, start, std::vector<double>(count), std::vector<double>(count)};
    test::RandomData random(4);
    autograd::StepState state(*context);
    for (int64_t step = 1; step <= 20; ++step) {
      set_random_grads(store, random);
      state.set_rates(AdamConfig{}, 2e-3, step);
      decide(*context, store, state, scale);
      CHECK(state.read().grad_scale == Approx(scale).epsilon(1e-6));
      autograd::adam_step(*context, store, AdamConfig{}, state);
      std::vector<double> grads = test::to_double(store.grads().to_host());
      for (double& g : grads) g *= scale;
      adam.step(grads);
      INFO("step " << step);
      // A step moves a parameter by about lr; f32 rounds the parameter itself, at most 1 here.
      const double absolute = 4 * test::kEps32 * static_cast<double>(step);
      CHECK(test::compare(store.values().to_host(), adam.param, {absolute, 0}) == "");
      CHECK(test::compare(store.first_moments().to_host(), adam.m, {1e-7, 1e-6}) == "");
      CHECK(test::compare(store.second_moments().to_host(), adam.v, {1e-10, 1e-6}) == "");
    }
    CHECK(store.values().to_host()[31] == 0);  // padding stays zero
    CHECK(store.value("mean").to_host() == std::vector<float>(4, 1.0f));
  }
}

TEST_CASE("the moving average follows its formula, for running statistics too", "[autograd]") {
  const auto context = test::cpu_context();
  ParamStore store(*context, kSpecs, true);
  store.initialize(5);
  test::RandomData random(6);
  const auto randomise = [&](const Tensor& t) { t.copy_from_host(random.normal(t.elements())); };
  for (const Tensor* t : {&store.values(), &store.buffers()}) randomise(*t);
  autograd::StepState state(*context);
  decide(*context, store, state, 1);
  for (const double decay : {0.9, 0.9999}) {
    // From zero, so that the small step is not lost behind a large value.
    store.ema().fill_zero();
    store.ema_buffers().copy_from_host(std::vector<float>(16, 1e-3f));
    autograd::ema_step(*context, store, decay, state);
    std::vector<double> expected, expected_buffers;
    for (double p : store.values().to_host()) expected.push_back((1 - decay) * p);
    for (double p : store.buffers().to_host()) {
      expected_buffers.push_back(decay * static_cast<double>(1e-3f) + (1 - decay) * p);
    }
    INFO("decay " << decay);
    CHECK(test::compare(store.ema().to_host(), expected, {0, 1e-6}) == "");
    CHECK(test::compare(store.ema_buffers().to_host(), expected_buffers, {1e-9, 1e-6}) == "");
  }
}

}  // namespace
}  // namespace ebb
