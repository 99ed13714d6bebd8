#include "nn/graph_builder.h"

#include "engine/passes/passes.h"
#include "nn/param_collector.h"

namespace ebb {

Value GraphBuilder::input(const std::string& name, const Shape& shape, DType dtype) {
  return {graph_.add_value(ValueKind::kInput, name, shape, dtype)};
}

Value GraphBuilder::param(const Scope& name, const Shape& shape, const ParamInfo&) {
  return {graph_.add_value(ValueKind::kParam, name.path(), shape)};
}

Value GraphBuilder::emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
                         const Scope& layer) {
  std::vector<ValueId> ids;
  for (Value input : inputs) ids.push_back(input.id);
  return {graph_.add_node(op, attrs, ids, layer.path()).front()};
}

void GraphBuilder::mark_output(const Scope& module, Value value) {
  graph_.module_outputs[module.path()] = value.id;
}

Graph GraphBuilder::finish(Value output) {
  graph_.output = output.id;
  return std::move(graph_);
}

Graph build_graph(const Network& network, const std::map<std::string, int64_t>& batch,
                  DType activations) {
  GraphBuilder builder(activations);
  std::vector<Value> inputs;
  for (const NetworkInput& input : network.inputs) {
    const Shape shape = with_batch(batch.at(input.name), input.shape);
    inputs.push_back(builder.input(input.name, shape, input.dtype));
  }
  return builder.finish(forward_in_precision(builder, network, inputs));
}

namespace {

std::map<std::string, int64_t> same_batch(const Network& network, int64_t batch) {
  std::map<std::string, int64_t> batches;
  for (const NetworkInput& input : network.inputs) batches[input.name] = batch;
  return batches;
}

}  // namespace

Graph build_graph(const Network& network, int64_t batch, DType activations) {
  return build_graph(network, same_batch(network, batch), activations);
}

Graph inference_graph(const Network& network, const std::map<std::string, int64_t>& batch,
                      const Context& context, bool keep_module_outputs) {
  Graph graph = build_graph(network, batch, activation_dtype(context.precision()));
  // The passes fuse no module's output as long as a caller may ask for it.
  if (!keep_module_outputs) graph.module_outputs.clear();
  return optimize(graph, context);
}

Graph inference_graph(const Network& network, int64_t batch, const Context& context,
                      bool keep_module_outputs) {
  return inference_graph(network, same_batch(network, batch), context, keep_module_outputs);
}

}  // namespace ebb
