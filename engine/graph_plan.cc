#include "engine/graph_plan.h"

#include <algorithm>

#include "base/error.h"

namespace ebb {

GraphPlan::GraphPlan(const Graph& graph, bool keep_module_outputs)
    : graph_(graph), keep_module_outputs_(keep_module_outputs), consumers_(graph.consumers()) {
  value_masks_.assign(graph_.values.size(), 0);
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    if (graph_.values[v].kind != ValueKind::kInput) continue;
    EBB_CHECK(inputs_.size() < 32, Error, "executor: more than 32 inputs");
    value_masks_[v] = InputMask{1} << inputs_.size();
    inputs_.push_back(static_cast<ValueId>(v));
  }
  for (const GraphNode& node : graph_.nodes) {
    InputMask mask = 0;
    for (ValueId v : node.inputs) mask |= value_masks_[v];
    for (ValueId v : node.outputs) value_masks_[v] = mask;
    node_masks_.push_back(mask);
  }
}

// Only values that run() computes are in the arena.
bool GraphPlan::is_in_arena(ValueId value) const {
  return graph_.values[value].kind == ValueKind::kComputed && value_masks_[value] != 0;
}

// A placed value is stored in its concatenation, whose lifetime therefore covers both.
ValueId GraphPlan::home(ValueId value) const {
  const ValueId placed_in = graph_.values[value].placed_in;
  return placed_in >= 0 ? placed_in : value;
}

// Whether a caller reads the value after run().
bool GraphPlan::is_seen(ValueId value) const {
  return value == graph_.output || (keep_module_outputs_ && graph_.is_visible(value));
}

// A value outlives the nodes that compute it if it is read without being recomputed.
bool GraphPlan::is_persistent(ValueId value) const {
  if (is_seen(value)) return true;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const auto& inputs = graph_.nodes[n].inputs;
    const bool reads = std::find(inputs.begin(), inputs.end(), value) != inputs.end();
    if (reads && node_masks_[n] != value_masks_[value]) return true;
  }
  return false;
}

// The first and the last node that touch each value of the arena, at its home.
std::vector<MemoryRequest> GraphPlan::lifetimes() const {
  const int steps = static_cast<int>(graph_.nodes.size());
  std::vector<MemoryRequest> requests(graph_.values.size(), {0, steps, -1});
  for (int n = 0; n < steps; ++n) {
    const auto touch = [&](ValueId v) {
      if (!is_in_arena(v)) return;
      MemoryRequest& request = requests[home(v)];
      request.first = std::min(request.first, n);
      request.last = std::max(request.last, n);
    };
    for (ValueId v : graph_.nodes[n].inputs) touch(v);
    for (ValueId v : graph_.nodes[n].outputs) touch(v);
  }
  return requests;
}

// One request per value; of no bytes where the value has no memory of its own in the arena.
std::vector<MemoryRequest> GraphPlan::memory_requests() const {
  std::vector<MemoryRequest> requests = lifetimes();
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    const ValueId id = static_cast<ValueId>(v);
    if (!is_in_arena(home(id))) continue;  // a constant may be placed in a value that is not one
    if (home(id) == id) requests[v].bytes = value.shape.elements() * size_of(value.dtype);
    if (is_persistent(id)) {
      requests[home(id)].first = 0;
      requests[home(id)].last = static_cast<int>(graph_.nodes.size());
    }
  }
  return requests;
}

// The most that one node needs.
int64_t GraphPlan::workspace_bytes(const Context& context) const {
  int64_t bytes = 0;
  for (const GraphNode& node : graph_.nodes) {
    if (node.op->workspace_bytes == nullptr) continue;
    const DType dtype = graph_.values[node.inputs[0]].dtype;
    bytes = std::max(
        bytes, node.op->workspace_bytes(context, node.attrs, graph_.shapes(node.inputs), dtype));
  }
  return bytes;
}

bool GraphPlan::is_kept_constant(ValueId value) const {
  if (value_masks_[value] != 0) return false;
  return is_seen(value) || std::any_of(consumers_[value].begin(), consumers_[value].end(),
                                       [&](int n) { return node_masks_[n] != 0; });
}

GraphBytes GraphPlan::bytes(const Context& context) const {
  const auto bytes_of = [&](ValueId v) {
    return graph_.values[v].shape.elements() * size_of(graph_.values[v].dtype);
  };
  GraphBytes total{.working =
                       plan_memory(memory_requests()).total_bytes + workspace_bytes(context)};
  for (const ValueId input : inputs_) total.working += bytes_of(input);
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const bool is_in_another = graph_.values[v].placed_in >= 0;
    if (is_kept_constant(static_cast<ValueId>(v)) && !is_in_another) {
      total.weights += bytes_of(static_cast<ValueId>(v));
    }
  }
  return total;
}

}  // namespace ebb
