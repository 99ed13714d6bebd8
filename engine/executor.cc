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
      owned_graph_(std::make_unique<const Graph>(std::move(graph))),
      graph_(*owned_graph_),
      keep_module_outputs_(options.keep_module_outputs),
      plan_(graph_, options.keep_module_outputs),
      tensors_(graph_.values.size()) {
  for (const ValueId input : plan_.inputs()) missing_ |= plan_.value_mask(input);
  bind_params(std::move(params));
  plan();
  compute_constants();
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
  const MemoryPlan memory = plan_memory(plan_.memory_requests());
  arena_bytes_ = memory.total_bytes;
  bind_values(memory);
  workspace_ = Tensor::empty(context_, {plan_.workspace_bytes(context_)}, DType::kU8);
}

// Inputs and what the arena holds get their tensors: of their own, in the arena, or in the tensor
// of the concatenation that they are placed in.
void Executor::bind_values(const MemoryPlan& memory) {
  const Tensor arena = Tensor::empty(context_, {memory.total_bytes}, DType::kU8);
  for (ValueId input : plan_.inputs()) {
    tensors_[input] =
        Tensor::empty(context_, graph_.values[input].shape, graph_.values[input].dtype);
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    if (plan_.is_in_arena(static_cast<ValueId>(v)) && value.placed_in < 0) {
      tensors_[v] = arena.view(memory.offsets[v], value.shape, value.dtype);
    }
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    const GraphValue& value = graph_.values[v];
    if (value.placed_in >= 0 && plan_.is_in_arena(value.placed_in)) {
      tensors_[v] = tensors_[value.placed_in].channels(value.placed_channel, value.shape.back());
    }
  }
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
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    const GraphNode& node = graph_.nodes[n];
    if (plan_.node_mask(n) != 0) continue;
    for (ValueId v : node.inputs) convert_param(v);
    for (ValueId v : node.outputs) allocate_constant(v);
    run_node(node);
    for (ValueId v : node.inputs) {
      const bool is_last = consumers[v].back() == static_cast<int>(n);
      if (is_last && !plan_.is_kept_constant(v)) tensors_[v] = Tensor();
    }
    trim_freed(context_);
  }
  for (size_t v = 0; v < graph_.values.size(); ++v) {
    if (plan_.value_mask(v) != 0) continue;
    if (plan_.is_kept_constant(static_cast<ValueId>(v))) {
      convert_param(static_cast<ValueId>(v));
    } else {
      tensors_[v] = Tensor();
    }
  }
  trim_freed(context_);
}

void Executor::set_input(const std::string& name, const Tensor& value) {
  for (size_t i = 0; i < plan_.inputs().size(); ++i) {
    const ValueId id = plan_.inputs()[i];
    if (graph_.values[id].name != name) continue;
    EBB_CHECK(value.shape() == graph_.values[id].shape, ShapeError, "executor: input ", name,
              " has shape ", value.shape(), ", expected ", graph_.values[id].shape);
    EBB_CHECK(value.dtype() == graph_.values[id].dtype, ShapeError, "executor: input ", name,
              " is ", to_string(value.dtype()), ", expected ", to_string(graph_.values[id].dtype));
    tensors_[id].copy_from(value);
    dirty_ |= plan_.value_mask(id);
    missing_ &= ~plan_.value_mask(id);
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
    if ((plan_.node_mask(n) & inputs) != 0) run_node(graph_.nodes[n]);
  }
}

const Tensor& Executor::run() {
  EBB_CHECK(missing_ == 0, Error, "executor: run() before every input was set");
  nodes_run_ = 0;
  for (size_t n = 0; n < graph_.nodes.size(); ++n) {
    if ((plan_.node_mask(n) & dirty_) != 0) ++nodes_run_;
  }
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
