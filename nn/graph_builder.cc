#include "nn/graph_builder.h"

#include "engine/passes/passes.h"
#include "nn/param_collector.h"

namespace ebb {

Value GraphBuilder::input(const std::string& name, const Shape& shape) {
  return {graph_.add_value(ValueKind::kInput, name, shape)};
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
  GraphBuilder builder;
  const auto in_type = [&](Value value, DType dtype) {
    return builder.dtype(value) == dtype ? value
                                         : builder.convert(Scope("precision"), value, dtype);
  };
  std::vector<Value> inputs;
  for (const NetworkInput& input : network.inputs) {
    const Value x = builder.input(input.name, with_batch(batch.at(input.name), input.shape));
    inputs.push_back(in_type(x, activations));
  }
  return builder.finish(in_type(network.forward(builder, inputs), DType::kF32));
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
                      const Context& context) {
  return optimize(build_graph(network, batch, activation_dtype(context.precision())), context);
}

Graph inference_graph(const Network& network, int64_t batch, const Context& context) {
  return inference_graph(network, same_batch(network, batch), context);
}

}  // namespace ebb
