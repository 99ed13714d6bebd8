#pragma once

#include <cstdint>
#include <vector>

#include "engine/context.h"
#include "engine/graph.h"
#include "engine/memory_plan.h"

namespace ebb {

// Bytes of the device that an executor holds once its graph is ready to run.
struct GraphBytes {
  int64_t weights = 0;  // packed weights and what else depends on parameters alone
  int64_t working = 0;  // the arena, the workspace of the largest node and the inputs
  int64_t total() const { return weights + working; }
};

// Dependencies of a graph's nodes on its inputs and lifetimes of its values: all that an Executor
// decides before it allocates anything. Refers to the graph.
class GraphPlan {
 public:
  using InputMask = uint32_t;  // bit i: depends on input i of inputs()

  GraphPlan(const Graph& graph, bool keep_module_outputs);

  const std::vector<ValueId>& inputs() const { return inputs_; }
  InputMask value_mask(size_t value) const { return value_masks_[value]; }
  InputMask node_mask(size_t node) const { return node_masks_[node]; }

  // Only values that depend on inputs are in the arena.
  bool is_in_arena(ValueId value) const;
  // A constant that run() or a caller reads.
  bool is_kept_constant(ValueId value) const;
  // One request per value; of no bytes where the value has no memory of its own in the arena.
  std::vector<MemoryRequest> memory_requests() const;
  // The most that one node needs.
  int64_t workspace_bytes(const Context& context) const;
  GraphBytes bytes(const Context& context) const;

 private:
  ValueId home(ValueId value) const;
  bool is_seen(ValueId value) const;
  bool is_persistent(ValueId value) const;
  std::vector<MemoryRequest> lifetimes() const;

  const Graph& graph_;
  bool keep_module_outputs_;
  std::vector<std::vector<int>> consumers_;
  std::vector<ValueId> inputs_;
  std::vector<InputMask> node_masks_, value_masks_;
};

}  // namespace ebb
