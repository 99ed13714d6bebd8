#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "testing/networks.h"

// Small networks for tests of what enters a network, and of operations that have no network yet.
namespace ebb::test {

// Rows of a table by token, their sum by a linear layer with a class vector; a time that stays f32.
inline Network token_network() {
  Network network;
  network.inputs = {{"x", {2, 2, 3}, InputRole::kSample},
                    {"t", {1}, InputRole::kTime, DType::kF32, /*exact=*/true},
                    {"class", {}, InputRole::kCondition, DType::kI32},
                    {"tokens", {4}, InputRole::kCondition, DType::kI32}};
  network.forward = [](Ops& ops, const std::vector<Value>& in) {
    const Scope s;
    const Value c = ops.embedding(s / "classes", in[2], 10, 3);     // [N, 3]
    const Value tokens = ops.embedding(s / "tokens", in[3], 7, 3);  // [N, 4, 3]
    ops.mark_output(s / "tokens", tokens);
    return ops.add(s / "sum", in[0], c);
  };
  return network;
}

inline TensorMap token_inputs(Context& context) {
  RandomData random(2);
  const auto ids = [&](const Shape& shape, const std::vector<int32_t>& values) {
    return Tensor::from_host(context, shape, std::span<const int32_t>(values));
  };
  return {{"x", normal_tensor(context, {2, 2, 2, 3}, random)},
          {"t", Tensor::zeros(context, {2, 1})},
          {"class", ids({2}, {9, 4})},
          {"tokens", ids({2, 4}, {0, 6, 3, 3, 1, 2, 5, 0})}};
}

// Runs the graph of the network and compares each element with the rows that the ids name: x plus
// the row of the image's class, and the rows of the tokens. Empty when all are near.
inline std::string check_token_network(Context& context, double tolerance) {
  const Network network = token_network();
  const TensorMap params = random_params(context, network, 1), inputs = token_inputs(context);
  Executor executor(context, inference_graph(network, 2, context, /*keep_module_outputs=*/true),
                    params, {.keep_module_outputs = true});
  for (const auto& [name, value] : inputs) executor.set_input(name, value);
  const std::vector<float> y = executor.run().to_host(),
                           tokens = executor.mark_output("tokens").to_host(),
                           x = inputs.at("x").to_host(),
                           classes = params.at("classes.weight").to_host(),
                           table = params.at("tokens.weight").to_host();
  const auto is_near = [&](double actual, double expected) {
    return std::fabs(actual - expected) <= tolerance * (1 + std::fabs(expected));
  };
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t row = i < y.size() / 2 ? 9 : 4;
    if (!is_near(y[i], double{x[i]} + classes[row * 3 + i % 3])) return cat("y ", i, " ", y[i]);
  }
  constexpr size_t kRows[] = {0, 6, 3, 3, 1, 2, 5, 0};
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (!is_near(tokens[i], table[kRows[i / 3] * 3 + i % 3])) return cat("token ", i);
  }
  return "";
}

// Every operation that the UNets of MNIST do without, once: images [2, 4, 4, 3] and times.
inline Network mixed_network() {
  Network network;
  network.inputs = {{"x", {4, 4, 3}, InputRole::kSample},
                    {"t", {1}, InputRole::kTime, DType::kF32, /*exact=*/true}};
  network.forward = [](Ops& ops, const std::vector<Value>& in) {
    const Scope s;
    const Value time = ops.timestep_embedding(s / "time", in[1], {.channels = 8, .shift = 1});
    const Value vector =
        ops.linear(s / "vector", ops.silu(s / "vector", time), 8, Bias::kNone);  // [N, 8]
    Value h = ops.conv2d(s / "conv", in[0], 8, 3, 2, 1);                         // [N, 2, 2, 8]
    h = ops.gelu_tanh(s / "gelu", ops.add(s / "timed", h, vector));
    h = ops.multiply(s / "gate", h, ops.softmax(s / "gate", vector));
    h = ops.upsample(s / "up", h, 2);  // [N, 4, 4, 8]
    return ops.conv2d(s / "out", h, 3, 3, 1, 1);
  };
  return network;
}

inline TensorMap mixed_inputs(Context& context) {
  RandomData random(4);
  return {{"x", normal_tensor(context, {2, 4, 4, 3}, random)},
          {"t", tensor_of(context, {2, 1}, {998.7f, 3})}};
}

// Its output with all passes.
inline Tensor run_mixed_network(Context& context) {
  const Network network = mixed_network();
  Executor executor(context, inference_graph(network, 2, context),
                    random_params(context, network, 1));
  for (const auto& [name, value] : mixed_inputs(context)) executor.set_input(name, value);
  return executor.run();
}

}  // namespace ebb::test
