#include <functional>

#include "nn/autograd/tape.h"
#include "nn/layers.h"
#include "nn/param_collector.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/gradcheck.h"
#include "testing/random_data.h"
#include "testing/reference_ops.h"

// Every gradient rule against central differences of the double-precision references, through the
// tape: its recording, propagation and accumulation are part of the test.
namespace ebb {
namespace {

using autograd::Mode;
using autograd::ParamStore;
using autograd::Tape;

// A loss made of parameters only, so that everything that an operation reads has a gradient.
struct GradCase {
  const char* name;
  std::function<Value(Ops&)> output;
};

Value leaf(Ops& ops, const char* name, const Shape& shape) {
  return ops.param(Scope(name), shape, {.init = {.bound = 1}});
}
Value frozen(Ops& ops, const char* name, const Shape& shape) {
  return ops.param(Scope(name), shape, {.init = {.bound = 1}, .trainable = false});
}

// The mean squared distance from fixed values: gives each element of y a gradient of its own.
Value distance(Ops& ops, Value y) {
  const Value target =
      ops.param(Scope("target"), ops.shape(y), {.init = {.bound = 2}, .trainable = false});
  return ops.mse_loss(y, target);
}

const Scope kLayer("layer");

// Bounds and gap of two steps, and whether they are first ones.
Value learned_range_steps(Ops& ops, Value first) {
  return ops.concat(kLayer, {frozen(ops, "steps", {2, 3}), first});
}

// The bound has no gradient with respect to the noise, so that is frozen.
Value codes_after_noise(Ops& ops) {
  return ops.concat(kLayer,
                    {frozen(ops, "predicted", {2, 3, 2, 2}), leaf(ops, "codes", {2, 3, 2, 2})});
}

const GradCase kCases[] = {
    {"conv 3x3",
     [](Ops& ops) {
       return ops.conv2d(kLayer, leaf(ops, "x", {2, 5, 4, 3}), 4, 3, 1, 1);
     }},
    {"conv 3x3 strided",
     [](Ops& ops) {
       return ops.conv2d(kLayer, leaf(ops, "x", {2, 5, 4, 3}), 2, 3, 2, 1);
     }},
    {"conv 1x1",
     [](Ops& ops) {
       return ops.conv2d(kLayer, leaf(ops, "x", {2, 3, 3, 5}), 2, 1, 1, 0);
     }},
    {"transposed 4x4 s2",
     [](Ops& ops) {
       return ops.conv_transpose2d(kLayer, leaf(ops, "x", {2, 3, 2, 3}), 2, 4, 2, 1);
     }},
    {"transposed 7x7 s7",
     [](Ops& ops) {
       return ops.conv_transpose2d(kLayer, leaf(ops, "x", {2, 1, 1, 3}), 3, 7, 7, 0);
     }},
    {"linear",
     [](Ops& ops) {
       return ops.linear(kLayer, leaf(ops, "x", {3, 5}), 4);
     }},
    {"linear without bias",
     [](Ops& ops) {
       return ops.linear(kLayer, leaf(ops, "x", {3, 5}), 4, Bias::kNone);
     }},
    {"linear of tokens",
     [](Ops& ops) {
       return ops.linear(kLayer, leaf(ops, "x", {2, 3, 5}), 4);
     }},
    {"batch norm",
     [](Ops& ops) {
       return ops.batch_norm(kLayer, leaf(ops, "x", {3, 2, 3, 4}), Activation::kNone);
     }},
    {"batch norm with GELU",
     [](Ops& ops) {
       return ops.batch_norm(kLayer, leaf(ops, "x", {3, 2, 3, 4}), Activation::kGelu);
     }},
    {"batch norm with SiLU",
     [](Ops& ops) {
       return ops.batch_norm(kLayer, leaf(ops, "x", {3, 2, 3, 4}), Activation::kSilu);
     }},
    {"gelu",
     [](Ops& ops) {
       return ops.gelu(kLayer, leaf(ops, "x", {4, 9}));
     }},
    {"silu",
     [](Ops& ops) {
       return ops.silu(kLayer, leaf(ops, "x", {4, 9}));
     }},
    {"gelu tanh",
     [](Ops& ops) {
       return ops.gelu_tanh(kLayer, leaf(ops, "x", {4, 9}));
     }},
    {"softmax",
     [](Ops& ops) {
       return ops.softmax(kLayer, leaf(ops, "x", {2, 3, 5}));
     }},
    {"upsample",
     [](Ops& ops) {
       return ops.upsample(kLayer, leaf(ops, "x", {2, 3, 2, 3}), 2);
     }},
    {"upsample bilinearly",
     [](Ops& ops) {
       const UpsampleAttrs attrs{.factor = 3, .interpolation = Interpolation::kBilinear};
       return ops.emit(ops::kUpsample, attrs, {leaf(ops, "x", {2, 3, 2, 3})}, kLayer);
     }},
    {"timestep embedding behind a layer",
     [](Ops& ops) {
       const Value t = ops.timestep_embedding(kLayer, frozen(ops, "t", {3}), {.channels = 5});
       return ops.linear(kLayer, t, 2);
     }},
    {"average pool",
     [](Ops& ops) {
       return ops.avg_pool(kLayer, leaf(ops, "x", {2, 4, 6, 3}), 2);
     }},
    {"global average pool",
     [](Ops& ops) {
       return ops.global_avg_pool(kLayer, leaf(ops, "x", {2, 3, 3, 4}));
     }},
    {"average pool of tokens",
     [](Ops& ops) {
       const Value mean = ops.avg_pool(kLayer, leaf(ops, "x", {2, 6, 3}), 3);
       return ops.global_avg_pool(kLayer, ops.gelu(kLayer, mean));
     }},
    {"a row for all images",
     [](Ops& ops) {
       const Value x = ops.add(kLayer, leaf(ops, "x", {3, 2, 2, 4}), leaf(ops, "a", {1, 4}));
       return ops.multiply(kLayer, x, leaf(ops, "b", {1, 4}));
     }},
    {"scale and shift of numbers",
     [](Ops& ops) {
       return ops.affine(kLayer, leaf(ops, "x", {2, 5}), 0.7f, -1);
     }},
    {"mish",
     [](Ops& ops) {
       return ops.activation(kLayer, leaf(ops, "x", {4, 9}), Activation::kMish);
     }},
    {"relu",
     [](Ops& ops) {
       return ops.activation(kLayer, leaf(ops, "x", {4, 9}), Activation::kRelu);
     }},
    {"one layer for two tensors",
     [](Ops& ops) {
       const std::vector<Value> y =
           ops.linear(kLayer, {leaf(ops, "x", {2, 3}), leaf(ops, "y", {2, 3})}, 4);
       return ops.multiply(kLayer, y[0], y[1]);
     }},
    {"convolution with other zeros below",
     [](Ops& ops) {
       return ops.conv2d(kLayer, leaf(ops, "x", {2, 4, 6, 3}), 2, 3, 2, 0, 1);
     }},
    {"softmax cross entropy",
     [](Ops& ops) {
       return ops.softmax_cross_entropy(leaf(ops, "x", {3, 4}), frozen(ops, "p", {3, 4}));
     }},
    {"concat",
     [](Ops& ops) {
       return ops.concat(kLayer, {leaf(ops, "a", {2, 3, 2, 2}), leaf(ops, "b", {2, 3, 2, 1}),
                                  leaf(ops, "c", {2, 3, 2, 4})});
     }},
    {"add",
     [](Ops& ops) {
       return ops.add(kLayer, leaf(ops, "x", {2, 3, 2, 4}), leaf(ops, "s", {2, 4}));
     }},
    {"multiply",
     [](Ops& ops) {
       return ops.multiply(kLayer, leaf(ops, "x", {2, 3, 2, 4}), leaf(ops, "s", {2, 4}));
     }},
    {"a range of channels",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {2, 3, 2, 5});
       return ops.add(kLayer, ops.slice_channels(kLayer, x, 0, 3),
                      ops.slice_channels(kLayer, x, 2, 3));
     }},
    {"add and multiply two images",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {2, 3, 2, 4}), y = leaf(ops, "y", {2, 3, 2, 4});
       return ops.multiply(kLayer, ops.add(kLayer, x, y), y);
     }},
    {"add an image to a frozen one",
     [](Ops& ops) {
       return ops.add(kLayer, frozen(ops, "x", {2, 3, 2, 4}), leaf(ops, "y", {2, 3, 2, 4}));
     }},
    {"an image added to itself",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {2, 3, 2, 4}), h = ops.gelu(kLayer, x);
       return ops.add(kLayer, ops.add(kLayer, h, h), x);
     }},
    {"group norm",
     [](Ops& ops) {
       return ops.group_norm(kLayer, leaf(ops, "x", {2, 3, 2, 6}), 2);
     }},
    {"group norm with a scale, a shift and SiLU",
     [](Ops& ops) {
       return ops.group_norm(kLayer, leaf(ops, "x", {2, 3, 2, 6}), 3,
                             {.activation = Activation::kSilu,
                              .scale = leaf(ops, "scale", {2, 6}),
                              .shift = leaf(ops, "shift", {2, 6})});
     }},
    {"group norm with a shift alone",
     [](Ops& ops) {
       return ops.group_norm(kLayer, leaf(ops, "x", {2, 6}), 2,
                             {.shift = leaf(ops, "shift", {2, 6})});
     }},
    {"group norm with a frozen scale and a shift",
     [](Ops& ops) {
       return ops.group_norm(
           kLayer, leaf(ops, "x", {2, 3, 2, 4}), 2,
           {.scale = frozen(ops, "scale", {2, 4}), .shift = leaf(ops, "shift", {2, 4})});
     }},
    {"layer norm",
     [](Ops& ops) {
       return ops.layer_norm(kLayer, leaf(ops, "x", {2, 3, 5}));
     }},
    {"layer norm without a bias",
     [](Ops& ops) {
       return ops.layer_norm(kLayer, leaf(ops, "x", {2, 3, 5}), Affine::kWeight);
     }},
    {"layer norm without parameters",
     [](Ops& ops) {
       return ops.layer_norm(kLayer, leaf(ops, "x", {2, 3, 5}), Affine::kNone, 1e-3f);
     }},
    {"rms norm",
     [](Ops& ops) {
       return ops.rms_norm(kLayer, leaf(ops, "x", {2, 3, 5}));
     }},
    {"attention of pixels to themselves",
     [](Ops& ops) {
       const Shape image{2, 2, 3, 6};
       return ops.attention(kLayer, leaf(ops, "q", image), leaf(ops, "k", image),
                            leaf(ops, "v", image), 2);
     }},
    {"attention of pixels to tokens, with a bias",
     [](Ops& ops) {
       return ops.attention(kLayer, leaf(ops, "q", {2, 2, 3, 6}), leaf(ops, "k", {2, 4, 6}),
                            leaf(ops, "v", {2, 4, 6}), 3,
                            {.bias = frozen(ops, "bias", {3, 6, 4}), .scale = 0.7f});
     }},
    {"attention to extra keys",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {2, 5, 4});
       return ops.attention(
           kLayer, x, x, x, 2,
           {.extra_k = leaf(ops, "ek", {2, 3, 4}), .extra_v = leaf(ops, "ev", {2, 3, 4})});
     }},
    {"the squares of the hybrid loss",
     [](Ops& ops) {
       const Value steps = learned_range_steps(ops, frozen(ops, "first", {2, 1}));
       return ops.learned_range_loss(leaf(ops, "x", {2, 3, 2, 4}),
                                     frozen(ops, "noise", {2, 3, 2, 2}),
                                     frozen(ops, "images", {2, 3, 2, 2}), steps, 0);
     }},
    {"the bound of the hybrid loss",
     [](Ops& ops) {
       const Value no = ops.affine(kLayer, frozen(ops, "first", {2, 1}), 0);
       return ops.learned_range_loss(codes_after_noise(ops), frozen(ops, "noise", {2, 3, 2, 2}),
                                     frozen(ops, "images", {2, 3, 2, 2}),
                                     learned_range_steps(ops, no), 0.7f);
     }},
    {"the first step of the hybrid loss",
     [](Ops& ops) {
       return ops.learned_range_loss(codes_after_noise(ops), frozen(ops, "noise", {2, 3, 2, 2}),
                                     frozen(ops, "images", {2, 3, 2, 2}),
                                     learned_range_steps(ops, frozen(ops, "first", {2, 1})), 0.7f);
     }},
    {"conv with a frozen weight",
     [](Ops& ops) {
       const Value w = frozen(ops, "w", {3, 3, 3, 2});
       return ops.emit(ops::kConv, ConvAttrs{3, 1, 1},
                       {leaf(ops, "x", {2, 4, 3, 2}), w, leaf(ops, "b", {3})}, kLayer);
     }},
    {"conv with a frozen bias and input",
     [](Ops& ops) {
       const Value x = frozen(ops, "x", {2, 4, 3, 2}), b = frozen(ops, "b", {3});
       return ops.emit(ops::kConv, ConvAttrs{3, 1, 1}, {x, leaf(ops, "w", {3, 3, 3, 2}), b},
                       kLayer);
     }},
    {"multiply by a frozen vector",
     [](Ops& ops) {
       return ops.multiply(kLayer, leaf(ops, "x", {2, 3, 2, 4}), frozen(ops, "s", {2, 4}));
     }},
    {"add a vector to a frozen image",
     [](Ops& ops) {
       return ops.add(kLayer, frozen(ops, "x", {2, 3, 2, 4}), leaf(ops, "s", {2, 4}));
     }},
    {"concat with a frozen operand",
     [](Ops& ops) {
       return ops.concat(kLayer, {leaf(ops, "a", {2, 3, 2, 2}), frozen(ops, "b", {2, 3, 2, 1}),
                                  leaf(ops, "c", {2, 3, 2, 4})});
     }},
    {"a value used twice",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {2, 3, 2, 4}), s = leaf(ops, "s", {2, 4});
       return ops.add(kLayer, ops.multiply(kLayer, x, s), s);
     }},
    {"a value used by three nodes",
     [](Ops& ops) {
       const Value x = ops.gelu(kLayer, leaf(ops, "x", {2, 3}));
       return ops.add(kLayer, ops.multiply(kLayer, x, ops.gelu(kLayer, x)), x);
     }},
    {"a value twice in one node",
     [](Ops& ops) {
       const Value x = leaf(ops, "x", {3, 4});  // its place is in the flat gradients
       const Value h = ops.gelu(kLayer, x);
       return ops.concat(kLayer, {ops.multiply(kLayer, x, x), ops.multiply(kLayer, h, h), x, x});
     }},
    {"a block of the network",
     [](Ops& ops) {
       return up_block(ops, kLayer, leaf(ops, "x", {2, 2, 3, 3}), 2);
     }},
    {"a block of fully connected layers",
     [](Ops& ops) {
       return fc_block(ops, kLayer, leaf(ops, "x", {3, 2}), 4);
     }},
    {"flatten and unflatten",
     [](Ops& ops) {
       return unflatten(ops, kLayer, flatten(ops, kLayer, leaf(ops, "x", {2, 7, 7, 2})));
     }},
};

struct Problem {
  explicit Problem(const GradCase& test) {
    ParamCollector collector;
    distance(collector, test.output(collector));
    specs = collector.specs();
    test::RandomData random(11);
    for (const ParamSpec& spec : specs) {
      values[spec.name] = random.uniform(spec.shape.elements(), -1.5, 1.5);
      doubles[spec.name] = {values[spec.name].begin(), values[spec.name].end()};
    }
  }
  std::vector<ParamSpec> specs;
  std::map<std::string, std::vector<float>> values;
  test::DoubleMap doubles;
};

double reference_loss(const GradCase& test, const test::DoubleMap& params) {
  test::ReferenceOps ops(params);
  return ops.values(distance(ops, test.output(ops))).at(0);
}

// Central differences of the reference; double precision leaves about 1e-10 of them.
std::vector<double> differences(const GradCase& test, test::DoubleMap params,
                                const std::string& name) {
  constexpr double kStep = 1e-5;
  std::vector<double> result;
  for (size_t i = 0; i < params.at(name).size(); ++i) {
    double& element = params.at(name)[i];
    const double here = element;
    element = here + kStep;
    const double above = reference_loss(test, params);
    element = here - kStep;
    const double below = reference_loss(test, params);
    element = here;
    result.push_back((above - below) / (2 * kStep));
  }
  return result;
}

struct Expected {
  double loss;
  std::map<std::string, std::vector<double>> gradients;
  double scale = 0;  // of all gradients: some are zero but for rounding

  Expected(const GradCase& test, const Problem& problem)
      : loss(reference_loss(test, problem.doubles)) {
    for (const ParamSpec& spec : problem.specs) {
      if (!spec.info.trainable) continue;
      gradients[spec.name] = differences(test, problem.doubles, spec.name);
      for (double d : gradients[spec.name]) scale = std::max(scale, std::fabs(d));
    }
  }
};

void check_gradients(const GradCase& test, const Problem& problem, const Expected& expected,
                     Context& context) {
  ParamStore store(context, problem.specs, false);
  for (const auto& [name, values] : problem.values) store.value(name).copy_from_host(values);
  Tape tape(context, store, Mode::kTrain);
  const Value loss = distance(tape, test.output(tape));
  CHECK(tape.tensor(loss).item() == Approx(expected.loss).epsilon(1e-6));
  tape.backward(loss);
  for (const auto& [name, derivative] : expected.gradients) {
    INFO(name);
    const std::vector<float> gradient = store.grad(name).to_host();
    CHECK(test::compare(gradient, derivative,
                        {.absolute = 1e-5 * expected.scale, .relative = 1e-5}) == "");
  }
}

TEST_CASE("every gradient rule agrees with central differences of its reference", "[autograd]") {
  for (const GradCase& test : kCases) {
    INFO(test.name);
    const Problem problem(test);
    const Expected expected(test, problem);
    test::PoisonedContext poisoned;
    check_gradients(test, problem, expected, poisoned.get());
    CHECK(poisoned.allocator().damaged_blocks() == 0);
    if (!EBB_TEST_EMULATOR) continue;
    INFO("CUDA kernels on the emulator");
    check_gradients(test, problem, expected, *make_context("emu", 1));
  }
}

}  // namespace
}  // namespace ebb
