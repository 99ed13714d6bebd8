#pragma once

#include <map>
#include <string>
#include <vector>

#include "engine/op.h"

namespace ebb {

using ValueId = int;

enum class ValueKind { kInput, kParam, kComputed };

struct GraphValue {
  ValueKind kind = ValueKind::kComputed;
  std::string name;  // of an input or a parameter
  Shape shape;
  DType dtype = DType::kF32;
  // Set when the producer writes straight into channels [placed_channel, ...) of a concatenation.
  ValueId placed_in = -1;
  int64_t placed_channel = 0;
};

struct GraphNode {
  const OpDef* op;
  OpAttrs attrs;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  std::string layer;  // the module the operation belongs to
};

// A network as plain data. Nodes are in execution order.
struct Graph {
  std::vector<GraphNode> nodes;
  std::vector<GraphValue> values;
  ValueId output = -1;
  std::map<std::string, ValueId> module_outputs;  // module name -> its output

  ValueId add_value(ValueKind kind, const std::string& name, const Shape& shape,
                    DType dtype = DType::kF32);
  // Appends a node, with the shapes and types of its outputs inferred.
  std::vector<ValueId> add_node(const OpDef& op, const OpAttrs& attrs, std::vector<ValueId> inputs,
                                const std::string& layer);

  std::vector<Shape> shapes(const std::vector<ValueId>& ids) const;
  // Index of the node that computes each value, -1 for inputs and parameters.
  std::vector<int> producers() const;
  // Indices of the nodes that read each value.
  std::vector<std::vector<int>> consumers() const;
  // True if the value is read outside the graph: the output or a module output.
  bool is_visible(ValueId value) const;
};

}  // namespace ebb
