#include "engine/graph.h"

#include <algorithm>

namespace ebb {

ValueId Graph::add_value(ValueKind kind, const std::string& name, const Shape& shape, DType dtype) {
  values.push_back({.kind = kind, .name = name, .shape = shape, .dtype = dtype});
  return static_cast<ValueId>(values.size()) - 1;
}

std::vector<ValueId> Graph::add_node(const OpDef& op, const OpAttrs& attrs,
                                     std::vector<ValueId> inputs, const std::string& layer) {
  GraphNode node{&op, attrs, std::move(inputs), {}, layer};
  const DType first = first_output_dtype(op, attrs, values[node.inputs[0]].dtype);
  for (const Shape& shape : op.infer(attrs, shapes(node.inputs))) {
    const DType dtype = node.outputs.empty() ? first : DType::kF32;
    node.outputs.push_back(add_value(ValueKind::kComputed, "", shape, dtype));
  }
  nodes.push_back(node);
  return node.outputs;
}

std::vector<Shape> Graph::shapes(const std::vector<ValueId>& ids) const {
  std::vector<Shape> result;
  for (ValueId id : ids) result.push_back(values[id].shape);
  return result;
}

std::vector<int> Graph::producers() const {
  std::vector<int> result(values.size(), -1);
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId id : nodes[n].outputs) result[id] = static_cast<int>(n);
  }
  return result;
}

std::vector<std::vector<int>> Graph::consumers() const {
  std::vector<std::vector<int>> result(values.size());
  for (size_t n = 0; n < nodes.size(); ++n) {
    for (ValueId id : nodes[n].inputs) result[id].push_back(static_cast<int>(n));
  }
  return result;
}

bool Graph::is_visible(ValueId value) const {
  return value == output ||
         std::any_of(module_outputs.begin(), module_outputs.end(),
                     [&](const auto& mark_output) { return mark_output.second == value; });
}

}  // namespace ebb
