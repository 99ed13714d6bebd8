// Inputs of a network: their types and conversions.

#include "nn/autograd/trainer.h"
#include "nn/eager_ops.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/networks.h"
#include "tests/nn/small_networks.h"

namespace ebb {
namespace {

using test::token_inputs;
using test::token_network;

DType entered_as(const Graph& graph, const std::string& name) {
  for (const GraphNode& node : graph.nodes) {
    const GraphValue& input = graph.values[node.inputs[0]];
    if (input.name == name && node.op == &ops::kConvert) return graph.values[node.outputs[0]].dtype;
  }
  for (const GraphValue& value : graph.values) {
    if (value.name == name) return value.dtype;
  }
  throw Error("no input " + name);
}

TEST_CASE("only float activations are converted to the type of activations", "[nn]") {
  const Network network = token_network();
  const Graph graph = build_graph(network, 2, DType::kBF16);
  CHECK(entered_as(graph, "x") == DType::kBF16);
  CHECK(entered_as(graph, "t") == DType::kF32);
  CHECK(entered_as(graph, "class") == DType::kI32);
  CHECK(entered_as(graph, "tokens") == DType::kI32);
  const GraphValue& tokens = graph.values[graph.module_outputs.at("tokens")];
  CHECK(tokens.dtype == DType::kBF16);
  CHECK(tokens.shape == Shape{2, 4, 3});
  CHECK(graph.values[graph.output].dtype == DType::kF32);
  for (const GraphNode& node : build_graph(network, 2).nodes) CHECK(node.op != &ops::kConvert);
}

TEST_CASE("ids look up rows in a graph", "[nn]") {
  const auto context = test::cpu_context();
  CHECK(test::check_token_network(*context, 1e-6) == "");
}

TEST_CASE("operations that no model uses yet give in a graph what they give alone", "[nn]") {
  const auto context = test::cpu_context();
  const Network network = test::mixed_network();
  const TensorMap params = test::random_params(*context, network, 1);
  EagerOps ops(*context, params);
  const Tensor eager = ops.tensor(test::forward(ops, network, test::mixed_inputs(*context)));
  CHECK(test::compare_bits(test::run_mixed_network(*context), eager) == "");
}

TEST_CASE("times are to be exact", "[nn]") {
  Network network = test::mixed_network();
  network.inputs[1].exact = false;
  CHECK(test::message_of<Error>([&] { build_graph(network, 2, DType::kBF16); }) ==
        "timestep_embedding: times are bf16, expected f32. Make the network's input exact.");
  CHECK_NOTHROW(build_graph(network, 2));
}

TEST_CASE("a network with ids is trained", "[nn]") {
  const auto context = test::cpu_context();
  const Network network = token_network();
  autograd::Trainer trainer(*context, network, {});
  trainer.params().initialize(1);
  const std::vector<float> before = trainer.params().value("classes.weight").to_host();
  const Tensor target = Tensor::zeros(*context, {2, 2, 2, 3});
  CHECK(trainer.step(token_inputs(*context), target, 1e-2).updated);
  const std::vector<float> after = trainer.params().value("classes.weight").to_host();
  for (size_t i = 0; i < before.size(); ++i) {
    const size_t row = i / 3;
    CHECK((before[i] != after[i]) == (row == 9 || row == 4));
  }
}

}  // namespace
}  // namespace ebb
