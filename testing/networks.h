#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "nn/network.h"
#include "nn/param_collector.h"
#include "testing/tensors.h"

namespace ebb::test {

struct TestNetwork {
  std::string name;  // also of its golden file: mnist_<name>.safetensors
  std::string config;
};

inline std::string mnist_config(const std::string& conditioning, const std::string& time_fusion,
                                int64_t hidden) {
  return R"({"name": "mnist_unet", "conditioning": ")" + conditioning + R"(", "time_fusion": ")" +
         time_fusion + R"(", "hidden": )" + std::to_string(hidden) + R"(, "classes": 10})";
}

// Every network of the assignment, and the classifier, at D = 4.
inline std::vector<TestNetwork> test_networks() {
  return {{"denoiser", mnist_config("none", "add", 4)},
          {"time_add", mnist_config("time", "add", 4)},
          {"time_multiply", mnist_config("time", "multiply", 4)},
          {"class", mnist_config("class", "add", 4)},
          {"judge", R"({"name": "mnist_judge", "hidden": 4, "classes": 10})"}};
}

inline Network make_test_network(const TestNetwork& test) {
  return make_network(test.config, test.name);
}

inline bool ends_with(const std::string& text, const std::string& end) {
  return text.size() >= end.size() && text.compare(text.size() - end.size(), end.size(), end) == 0;
}

// Initial values, except that BatchNorm's scale, shift and running statistics are random: with
// their initial ones and zeros an error in them would not show.
inline TensorMap random_params(const Context& context, const Network& network, uint64_t seed) {
  RandomData random(seed);
  TensorMap params;
  int64_t index = 0;
  for (const ParamSpec& spec : list_params(network)) {
    const int64_t count = spec.shape.elements();
    std::vector<float> values(static_cast<size_t>(count));
    initialize(spec, seed, index++, values);
    if (ends_with(spec.name, "bn.weight") || ends_with(spec.name, "running_var")) {
      values = random.uniform(count, 0.5, 1.5);
    } else if (ends_with(spec.name, "bn.bias") || ends_with(spec.name, "running_mean")) {
      values = random.uniform(count, -0.5, 0.5);
    }
    params[spec.name] = tensor_of(context, spec.shape, values);
  }
  return params;
}

// Plausible inputs: normal images, times in [0, 1), one-hot classes of which the last is dropped.
inline TensorMap random_inputs(const Context& context, const Network& network,
                               const std::map<std::string, int64_t>& batch, uint64_t seed) {
  RandomData random(seed);
  TensorMap inputs;
  for (const NetworkInput& input : network.inputs) {
    const Shape shape = with_batch(batch.at(input.name), input.shape);
    const int64_t count = shape.elements();
    std::vector<float> values =
        input.role == InputRole::kSample ? random.normal(count) : random.uniform(count);
    if (input.role == InputRole::kCondition) {
      std::fill(values.begin(), values.end(), 0.0f);
      for (int64_t n = 0; n + 1 < shape[0]; ++n) {
        values[n * shape.back() + random.integer(0, shape.back() - 1)] = 1;
      }
    }
    inputs[input.name] = tensor_of(context, shape, values);
  }
  return inputs;
}

inline TensorMap random_inputs(const Context& context, const Network& network, int64_t batch,
                               uint64_t seed) {
  std::map<std::string, int64_t> batches;
  for (const NetworkInput& input : network.inputs) batches[input.name] = batch;
  return random_inputs(context, network, batches, seed);
}

inline bool classifies(const Network& network) { return output_shape(network).rank() == 1; }

// A batch of targets for the network's loss: normal images, or one-hot classes.
inline Tensor random_target(const Context& context, const Network& network, int64_t batch,
                            RandomData& random) {
  const Shape shape = with_batch(batch, output_shape(network));
  if (!classifies(network)) return normal_tensor(context, shape, random);
  std::vector<float> values(static_cast<size_t>(shape.elements()), 0.0f);
  for (int64_t n = 0; n < batch; ++n) {
    values[n * shape.back() + random.integer(0, shape.back() - 1)] = 1;
  }
  return tensor_of(context, shape, values);
}

// The loss that the network is trained with.
inline Value loss_of(Ops& ops, const Network& network, Value output, Value target) {
  return classifies(network) ? ops.softmax_cross_entropy(output, target)
                             : ops.mse_loss(output, target);
}

// The network on these inputs through any Ops that has input(Tensor).
template <typename SomeOps>
Value forward(SomeOps& ops, const Network& network, const TensorMap& inputs) {
  std::vector<Value> values;
  for (const NetworkInput& input : network.inputs) {
    values.push_back(ops.input(inputs.at(input.name)));
  }
  return network.forward(ops, values);
}

}  // namespace ebb::test
