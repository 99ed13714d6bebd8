#include "engine/executor.h"

#include <algorithm>

namespace ebb {

namespace {

// While weights are prepared, this much of what they leave behind may stay with the allocator.
constexpr int64_t kMaxFreedBytes = int64_t{64} << 20;

void trim_freed(const Context& context) {
  const AllocatorStats stats = context.allocator()->stats();
  if (stats.bytes_reserved - stats.bytes_in_use > kMaxFreedBytes) context.allocator()->trim();
}

}  // namespace

Executor::Executor(Context& context, Graph graph, TensorMap params, const Options& options)
    : context_(context),
      graph_(std::move(graph)),
      keep_module_outputs_(options.keep_module_outputs),
      tensors_(graph_.values.size()) {
  find_dependencies();
  bind_params(std::move(params));
  plan();
  compute_constants();
}

void Executor::find_dependencies() {
  value_masks_.assign(graph_.values.size(), 0);
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    if (graph_.values[v].kind != ValueKind::kInput) continue;
    EBB_CHECK(input_ids_.size() < 32, Error, "executor: more than 32 inputs");
    value_masks_[v] = InputMask{1} << input_ids_.size();
    input_ids_.push_back(static_cast<ValueId>(v));
    missing_ |= value_masks_[v];
  }
  for (const GraphNode& node : graph_.nodes) {
    InputMask mask = 0;
    for (ValueId v : node.inputs) mask |= value_masks_[v];
    for (ValueId v : node.outputs) value_masks_[v] = mask;
    node_masks_.push_back(mask);
  }
}

void Executor::bind_params(TensorMap params) {
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    if (value.kind != ValueKind::kParam) continue;
    const auto found = params.find(value.name);
    EBB_CHECK(found != params.end(), Error, "executor: parameter ", value.name, " is missing");
    EBB_CHECK(found->second.shape() == value.shape, ShapeError, "executor: parameter ", value.name,
              " has shape ", found->second.shape(), ", expected ", value.shape);
    tensors_[v] = found->second;
  }
}

void Executor::plan() {
  const MemoryPlan memory = plan_memory(memory_requests());
  arena_bytes_ = memory.total_bytes;
  bind_values(memory);
  workspace_ = Tensor::empty(context_, {workspace_bytes()}, DType::kU8);
}

// Only values that run() computes are in the arena.
bool Executor::is_in_arena(ValueId value) const {
  return graph_.values[value].kind == ValueKind::kComputed && value_masks_[value] != 0;
}

// A placed value is stored in its concatenation, whose lifetime therefore covers both.
ValueId Executor::home(ValueId value) const {
  const ValueId placed_in = graph_.values[value].placed_in;
  return placed_in >= 0 ? placed_in : value;
}

// Whether a caller reads the value after run().
bool Executor::is_seen(ValueId value) const {
  return value == graph_.output || (keep_module_outputs_ && graph_.is_visible(value));
}

// A value outlives the nodes that compute it if it is read without being recomputed.
bool Executor::is_persistent(ValueId value) const {
  if (is_seen(value)) return true;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const auto& inputs = graph_.nodes[n].inputs;
    const bool reads = std::find(inputs.begin(), inputs.end(), value) != inputs.end();
    if (reads && node_masks_[n] != value_masks_[value]) return true;
  }
  return false;
}

// The first and the last node that touch each value of the arena, at its home.
std::vector<MemoryRequest> Executor::lifetimes() const {
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
std::vector<MemoryRequest> Executor::memory_requests() const {
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

// Inputs and what the arena holds get their tensors: of their own, in the arena, or in the tensor
// of the concatenation that they are placed in.
void Executor::bind_values(const MemoryPlan& memory) {
  const Tensor arena = Tensor::empty(context_, {memory.total_bytes}, DType::kU8);
  for (ValueId input : input_ids_) {
    tensors_[input] =
        Tensor::empty(context_, graph_.values[input].shape, graph_.values[input].dtype);
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    if (is_in_arena(static_cast<ValueId>(v)) && value.placed_in < 0) {
      tensors_[v] = arena.view(memory.offsets[v], value.shape, value.dtype);
    }
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    if (value.placed_in >= 0 && is_in_arena(value.placed_in)) {
      tensors_[v] = tensors_[value.placed_in].channels(value.placed_channel, value.shape.back());
    }
  }
}

// The most that one node needs.
int64_t Executor::workspace_bytes() const {
  int64_t bytes = 0;
  for (const GraphNode& node : graph_.nodes) {
    if (node.op->workspace_bytes == nullptr) continue;
    const DType dtype = graph_.values[node.inputs[0]].dtype;
    bytes = std::max(
        bytes, node.op->workspace_bytes(context_, node.attrs, graph_.shapes(node.inputs), dtype));
  }
  return bytes;
}

// The block of a constant is allocated when its turn comes, unless it lies in the arena.
void Executor::allocate_constant(ValueId v) {
  if (tensors_[v].defined()) return;
  const GraphValue& value = graph_.values[v];
  if (value.placed_in < 0) {
    tensors_[v] = Tensor::empty(context_, value.shape, value.dtype);
    return;
  }
  allocate_constant(value.placed_in);
  tensors_[v] = tensors_[value.placed_in].channels(value.placed_channel, value.shape.back());
}

void Executor::convert_param(ValueId v) {
  if (graph_.values[v].kind != ValueKind::kParam) return;
  tensors_[v] = to_dtype(context_, tensors_[v], graph_.values[v].dtype);
}

void Executor::compute_constants() {
  const auto consumers = graph_.consumers();
  const auto feeds_run = [&](size_t v) {
    return is_seen(static_cast<ValueId>(v)) ||
           std::any_of(consumers[v].begin(), consumers[v].end(),
                       [&](int n) { return node_masks_[n] != 0; });
  };
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const GraphNode& node = graph_.nodes[n];
    if (node_masks_[n] != 0) continue;
    for (ValueId v : node.inputs) convert_param(v);
    for (ValueId v : node.outputs) allocate_constant(v);
    run_node(node);
    for (ValueId v : node.inputs) {
      const bool is_last = consumers[v].back() == static_cast<int>(n);
      if (is_last && !feeds_run(v)) tensors_[v] = Tensor();
    }
    trim_freed(context_);
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    if (value_masks_[v] != 0) continue;
    if (feeds_run(v)) {
      convert_param(static_cast<ValueId>(v));
    } else {
      tensors_[v] = Tensor();
    }
  }
  trim_freed(context_);
}

void Executor::set_input(const std::string& name, const Tensor& value) {
  for (size_t i = 0; i < input_ids_.size(); ++i) {
    const ValueId id = input_ids_[i];
    if (graph_.values[id].name != name) continue;
    EBB_CHECK(value.shape() == graph_.values[id].shape, ShapeError, "executor: input ", name,
              " has shape ", value.shape(), ", expected ", graph_.values[id].shape);
    EBB_CHECK(value.dtype() == graph_.values[id].dtype, ShapeError, "executor: input ", name,
              " is ", to_string(value.dtype()), ", expected ", to_string(graph_.values[id].dtype));
    tensors_[id].copy_from(value);
    dirty_ |= value_masks_[id];
    missing_ &= ~value_masks_[id];
    return;
  }
  throw Error(cat("executor: no input named ", name));
}

void Executor::run_node(const GraphNode& node) {
  const LayerScope layer(context_, node.layer);
  std::vector<Tensor> inputs, outputs;
  for (ValueId v : node.inputs) inputs.push_back(tensors_[v]);
  for (ValueId v : node.outputs) outputs.push_back(tensors_[v]);
  node.op->run(context_, {node.attrs, inputs, outputs, workspace_.raw()});
}

// Everything that depends on one of these inputs.
void Executor::run_nodes(InputMask inputs) {
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    if ((node_masks_[n] & inputs) != 0) run_node(graph_.nodes[n]);
  }
}

const Tensor& Executor::run() {
  EBB_CHECK(missing_ == 0, Error, "executor: run() before every input was set");
  nodes_run_ =
      static_cast<int>(std::count_if(node_masks_.begin(), node_masks_.end(),
                                     [&](InputMask mask) { return (mask & dirty_) != 0; }));
  if (dirty_ == 0) return tensors_[graph_.output];
  if (context_.profiler() != nullptr) {  // times kernels one by one
    run_nodes(dirty_);
  } else {
    graphs_.run(*context_.stream(), dirty_, [&] { run_nodes(dirty_); });
  }
  dirty_ = 0;
  return tensors_[graph_.output];
}

const Tensor& Executor::mark_output(const std::string& name) const {
  const auto found = graph_.module_outputs.find(name);
  EBB_CHECK(found != graph_.module_outputs.end(), Error, "executor: no module named ", name);
  EBB_CHECK(keep_module_outputs_, Error,
            "executor: module outputs are not kept. Set Options::keep_module_outputs");
  return tensors_[found->second];
}

}  // namespace ebb
