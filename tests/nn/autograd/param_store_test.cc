#include "nn/autograd/param_store.h"

#include <cmath>

#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"

namespace ebb {
namespace {

using autograd::ParamStore;
using test::message_of;

const std::vector<ParamSpec> kSpecs = {
    {"conv.weight", {3, 3, 3, 1}, {ParamLayout::kConv, {.bound = 0.5f}, true}},
    {"conv.bias", {3}, {ParamLayout::kPlain, {.bound = 0.5f}, true}},
    {"bn.running_var", {3}, {ParamLayout::kPlain, {.constant = 1}, false}},
    {"bn.weight", {17}, {ParamLayout::kPlain, {.constant = 1}, true}}};

TEST_CASE("parameters are views of flat buffers at aligned places", "[autograd]") {
  const auto context = test::cpu_context();
  const ParamStore store(*context, kSpecs, true);
  CHECK(store.values().elements() == 32 + 16 + 32);  // padded to multiples of 16 floats
  CHECK(store.grads().elements() == store.values().elements());
  CHECK(store.first_moments().elements() == store.values().elements());
  CHECK(store.second_moments().elements() == store.values().elements());
  CHECK(store.ema().elements() == store.values().elements());
  CHECK(store.buffers().elements() == 16);
  CHECK(store.ema_buffers().elements() == 16);
  for (const ParamSpec& spec : kSpecs) {
    INFO(spec.name);
    const Tensor& value = store.value(spec.name);
    CHECK(value.shape() == spec.shape);
    CHECK(reinterpret_cast<uintptr_t>(value.raw()) % Allocator::kAlignment == 0);
    CHECK(store.is_trainable(spec.name) == spec.info.trainable);
    CHECK(store.grad(spec.name).defined() == spec.info.trainable);
  }
  const float* flat = store.values().data<float>();
  store.value("bn.weight").copy_from_host(std::vector<float>(17, 5.0f));
  CHECK(flat[48] == 5);
  CHECK(flat[64] == 5);
  CHECK(flat[65] == 0);  // padding
  store.value("bn.running_var").copy_from_host(std::vector<float>(3, 2.0f));
  CHECK(store.buffers().to_host()[2] == 2);
}

TEST_CASE("initializing gives every parameter its distribution and zeroes the rest", "[autograd]") {
  test::PoisonedContext poisoned;
  ParamStore store(poisoned.get(), kSpecs, true);
  for (const Tensor* flat : {&store.grads(), &store.first_moments(), &store.second_moments()}) {
    flat->copy_from_host(std::vector<float>(80, 7.0f));
  }
  store.initialize(123);
  for (size_t i = 0; i < kSpecs.size(); ++i) {
    std::vector<float> expected(static_cast<size_t>(kSpecs[i].shape.elements()));
    initialize(kSpecs[i], 123, static_cast<int64_t>(i), expected);
    CHECK(store.value(kSpecs[i].name).to_host() == expected);
  }
  const std::vector<float> zeros(80, 0.0f);
  CHECK(store.grads().to_host() == zeros);
  CHECK(store.first_moments().to_host() == zeros);
  CHECK(store.second_moments().to_host() == zeros);
  CHECK(test::compare_bits(store.ema(), store.values()) == "");
  CHECK(test::compare_bits(store.ema_buffers(), store.buffers()) == "");
}

TEST_CASE("weights by name share memory with the store, current or averaged", "[autograd]") {
  const auto context = test::cpu_context();
  ParamStore store(*context, kSpecs, true);
  store.initialize(1);
  const TensorMap weights = store.weights(), averaged = store.ema_weights();
  CHECK(weights.size() == kSpecs.size());
  store.ema().fill_zero();
  store.ema_buffers().copy_from_host(std::vector<float>(16, 3.0f));
  CHECK(weights.at("bn.weight").to_host() == std::vector<float>(17, 1.0f));
  CHECK(averaged.at("bn.weight").to_host() == std::vector<float>(17, 0.0f));
  CHECK(weights.at("bn.running_var").to_host() == std::vector<float>(3, 1.0f));
  CHECK(averaged.at("bn.running_var").to_host() == std::vector<float>(3, 3.0f));
  CHECK(store.grads_by_name().size() == 3);
  CHECK_FALSE(store.grads_by_name().contains("bn.running_var"));
}

TEST_CASE("the first gradient that is not finite is named", "[autograd]") {
  const auto context = test::cpu_context();
  ParamStore store(*context, kSpecs, false);
  store.initialize(1);
  CHECK(store.first_nonfinite_grad().empty());
  store.grad("bn.weight").data<float>()[16] = INFINITY;
  CHECK(store.first_nonfinite_grad() == "bn.weight");
  store.grad("conv.bias").data<float>()[0] = NAN;
  CHECK(store.first_nonfinite_grad() == "conv.bias");
}

TEST_CASE("unknown and repeated names are refused", "[autograd]") {
  const auto context = test::cpu_context();
  const ParamStore store(*context, kSpecs, false);
  CHECK_FALSE(store.has_ema());
  CHECK(store.contains("conv.bias"));
  CHECK_FALSE(store.contains("fc.bias"));
  CHECK(message_of<Error>([&] { store.value("fc.bias"); }) == "no parameter named fc.bias");
  CHECK(message_of<Error>([&] {
          ParamStore(*context, {kSpecs[0], kSpecs[1], kSpecs[0]}, false);
        }) == "parameter conv.weight is declared twice");
}

}  // namespace
}  // namespace ebb
