#pragma once

#include <map>

#include "engine/graph.h"
#include "nn/network.h"

namespace ebb {

// Writes a network down as an inference graph.
class GraphBuilder final : public Ops {
 public:
  explicit GraphBuilder(DType activations = DType::kF32) : activations_(activations) {}

  Value input(const std::string& name, const Shape& shape, DType dtype = DType::kF32);

  Value param(const Scope& name, const Shape& shape, const ParamInfo& info) override;
  Value emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
             const Scope& layer) override;
  Shape shape(Value value) const override { return graph_.values.at(value.id).shape; }
  DType dtype(Value value) const override { return graph_.values.at(value.id).dtype; }
  DType activation_dtype() const override { return activations_; }
  void mark_output(const Scope& module, Value value) override;

  Graph finish(Value output);

 private:
  Graph graph_;
  DType activations_;
};

// The graph of `network` with these batch sizes per input, e.g. {{"x", 10}, {"t", 20}, {"c", 20}}.
// Inputs have the types that the network names and the output is f32, whatever type the activations
// have in between.
Graph build_graph(const Network& network, const std::map<std::string, int64_t>& batch,
                  DType activations = DType::kF32);
// The same batch for every input.
Graph build_graph(const Network& network, int64_t batch, DType activations = DType::kF32);

// The graph that inference runs on a context: in its precision, with all passes. Without
// keep_module_outputs it has no module outputs, and the passes may fuse what they would be.
Graph inference_graph(const Network& network, const std::map<std::string, int64_t>& batch,
                      const Context& context, bool keep_module_outputs = false);
Graph inference_graph(const Network& network, int64_t batch, const Context& context,
                      bool keep_module_outputs = false);

}  // namespace ebb
