#include <algorithm>

#include "engine/passes/passes.h"

namespace ebb {

Graph place_concat_operands(const Graph& graph) {
  Graph result = graph;
  const auto producers = graph.producers();
  const auto consumers = graph.consumers();
  const auto can_place = [&](ValueId value, ValueId target) {
    if (graph.values[value].kind != ValueKind::kComputed) return false;
    if (result.values[value].placed_in >= 0 || value == graph.output) return false;
    if (graph.values[value].shape[0] != graph.values[target].shape[0]) return false;
    if (!graph.nodes[producers[value]].op->writes_pitched) return false;
    for (int n : consumers[value]) {
      if (!graph.nodes[n].op->reads_pitched) return false;
      // Only the first input of a conv may be pitched: a residual is dense.
      const auto& inputs = graph.nodes[n].inputs;
      const bool beyond_first = std::find(inputs.begin() + 1, inputs.end(), value) != inputs.end();
      if (graph.nodes[n].op == &ops::kConv && beyond_first) return false;
    }
    return true;
  };
  for (const GraphNode& node : graph.nodes) {
    if (node.op != &ops::kConcat) continue;
    int64_t channel = 0;
    for (ValueId operand : node.inputs) {
      if (can_place(operand, node.outputs[0])) {
        result.values[operand].placed_in = node.outputs[0];
        result.values[operand].placed_channel = channel;
      }
      channel += graph.values[operand].shape.back();
    }
  }
  return result;
}

}  // namespace ebb
