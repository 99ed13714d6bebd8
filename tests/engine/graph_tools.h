#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "engine/executor.h"
#include "engine/passes/passes.h"
#include "testing/tensors.h"

// Writing, running and counting small graphs by hand.
namespace ebb::test {

// A graph and its parameters, grown layer by layer.
class GraphWriter {
 public:
  GraphWriter(Context& context, uint64_t seed) : context_(context), random_(seed) {}

  ValueId input(const std::string& name, const Shape& shape) {
    return graph.add_value(ValueKind::kInput, name, shape);
  }
  ValueId param(const Shape& shape, double low, double high) {
    const std::string name = "p" + std::to_string(params.size());
    params[name] = tensor_of(context_, shape, random_.uniform(shape.elements(), low, high));
    return graph.add_value(ValueKind::kParam, name, shape);
  }
  ValueId node(const OpDef& op, const OpAttrs& attrs, const std::vector<ValueId>& inputs) {
    return graph.add_node(op, attrs, inputs, "layer" + std::to_string(graph.nodes.size())).front();
  }

  ValueId conv(ValueId x, int64_t out, ConvAttrs attrs = {3, 1, 1}) {
    return node(ops::kConv, attrs, conv_inputs(x, out, attrs));
  }
  ValueId conv_with_residual(ValueId x, ValueId residual, ConvAttrs attrs = {3, 1, 1}) {
    std::vector<ValueId> inputs = conv_inputs(x, shape(residual).back(), attrs);
    inputs.push_back(residual);
    return node(ops::kConv, attrs, inputs);
  }
  ValueId linear(ValueId x, int64_t out) { return conv(x, out, {1, 1, 0}); }
  ValueId batch_norm(ValueId x, Activation activation) {
    const Shape c{shape(x).back()};
    BatchNormAttrs attrs;
    attrs.activation = activation;
    const std::vector<ValueId> inputs{x, param(c, 0.5, 1.5), param(c, -0.5, 0.5),
                                      param(c, -0.5, 0.5), param(c, 0.5, 1.5)};
    return node(ops::kBatchNorm, attrs, inputs);
  }
  ValueId activation(ValueId x, Activation activation) {
    return node(ops::kActivation, ActivationAttrs{activation}, {x});
  }
  ValueId concat(const std::vector<ValueId>& parts) { return node(ops::kConcat, {}, parts); }
  ValueId add(ValueId x, ValueId s) { return node(ops::kAdd, {}, {x, s}); }
  ValueId multiply(ValueId x, ValueId s) { return node(ops::kMultiply, {}, {x, s}); }

  const Shape& shape(ValueId value) const { return graph.values[value].shape; }
  RandomData& random() { return random_; }

  Graph graph;
  TensorMap params;

 private:
  std::vector<ValueId> conv_inputs(ValueId x, int64_t out, const ConvAttrs& attrs) {
    const int64_t in = shape(x).back(), fan_in = in * attrs.kernel * attrs.kernel;
    const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
    std::vector<ValueId> inputs{x, param({out, attrs.kernel, attrs.kernel, in}, -bound, bound)};
    if (attrs.reads_bias) inputs.push_back(param({out}, -bound, bound));
    return inputs;
  }

  Context& context_;
  RandomData random_;
};

// Every value of the graph, each node run on its own with fresh memory.
inline std::vector<Tensor> run_eagerly(Context& context, const Graph& graph,
                                       const TensorMap& params, const TensorMap& inputs) {
  std::vector<Tensor> tensors(graph.values.size());
  for (size_t v = 0; v < graph.values.size(); ++v) {
    const GraphValue& value = graph.values[v];
    if (value.kind == ValueKind::kParam) tensors[v] = params.at(value.name);
    if (value.kind == ValueKind::kInput) tensors[v] = inputs.at(value.name);
  }
  for (const GraphNode& node : graph.nodes) {
    std::vector<Tensor> operands;
    for (ValueId v : node.inputs) operands.push_back(tensors[v]);
    const std::vector<Tensor> results = run_op(context, *node.op, node.attrs, operands);
    for (size_t i = 0; i < results.size(); ++i) tensors[node.outputs[i]] = results[i];
  }
  return tensors;
}

inline TensorMap random_inputs_of(const Context& context, const Graph& graph, RandomData& random) {
  TensorMap inputs;
  for (const GraphValue& value : graph.values) {
    if (value.kind == ValueKind::kInput) {
      inputs[value.name] = normal_tensor(context, value.shape, random);
    }
  }
  return inputs;
}

inline int count_nodes(const Graph& graph, const OpDef& op) {
  int count = 0;
  for (const GraphNode& node : graph.nodes) count += node.op == &op;
  return count;
}

inline int count_placed(const Graph& graph) {
  int count = 0;
  for (const GraphValue& value : graph.values) count += value.placed_in >= 0;
  return count;
}

// The number of nodes that depend on one of these inputs.
inline int count_dependents(const Graph& graph, const std::set<std::string>& inputs) {
  std::vector<bool> dependent(graph.values.size(), false);
  for (size_t v = 0; v < graph.values.size(); ++v) {
    dependent[v] =
        graph.values[v].kind == ValueKind::kInput && inputs.contains(graph.values[v].name);
  }
  int count = 0;
  for (const GraphNode& node : graph.nodes) {
    bool reached = false;
    for (ValueId v : node.inputs) reached = reached || dependent[v];
    for (ValueId v : node.outputs) dependent[v] = reached;
    count += reached;
  }
  return count;
}

}  // namespace ebb::test
