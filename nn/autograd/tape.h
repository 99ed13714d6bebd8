#pragma once

#include <string>
#include <vector>

#include "nn/autograd/param_store.h"
#include "nn/ops.h"

namespace ebb::autograd {

enum class Mode { kTrain, kEval };

// Runs a network eagerly and, in training mode, records it for one backward pass.
class Tape final : public Ops {
 public:
  Tape(Context& context, ParamStore& params, Mode mode);

  Value input(const Tensor& tensor);  // without gradient

  Value param(const Scope& name, const Shape& shape, const ParamInfo& info) override;
  Value emit(const OpDef& inference_op, const OpAttrs& attrs, const std::vector<Value>& inputs,
             const Scope& layer) override;
  Shape shape(Value value) const override { return variables_.at(value.id).tensor.shape(); }
  DType dtype(Value value) const override { return variables_.at(value.id).tensor.dtype(); }
  DType activation_dtype() const override { return ebb::activation_dtype(context_.precision()); }
  void mark_output(const Scope& module, Value value) override;

  const Tensor& tensor(Value value) const { return variables_.at(value.id).tensor; }
  // Module outputs by name; kept when requested before the network runs.
  void keep_module_outputs() { keep_module_outputs_ = true; }
  const TensorMap& module_outputs() const { return module_outputs_; }

  // Writes d(loss)/d(parameter) into the store's gradients, freeing what it passes. Once per tape.
  void backward(Value loss);

 private:
  struct Variable {
    Tensor tensor;
    bool needs_grad = false;
    Tensor grad_place = {};  // of a parameter: its view of the flat gradients
    Tensor grad = {};        // during backward()
    Tensor moments = {};     // for an operation that takes them and reads this next
  };
  struct Node {
    const OpDef* op;
    OpAttrs attrs;
    std::vector<int> inputs = {};
    std::vector<Tensor> input_tensors = {};
    std::vector<Tensor> output_tensors = {};  // all outputs, when the gradient rule reads them
    int output = -1;
    std::string layer = {};
  };

  Value add_variable(Variable variable);
  void run_rule(const Node& node);
  void accumulate(Variable& variable, const Tensor& grad);

  Context& context_;
  ParamStore& params_;
  Mode mode_;
  bool keep_module_outputs_ = false;
  std::vector<Variable> variables_;
  std::vector<Node> nodes_;
  TensorMap module_outputs_;
};

}  // namespace ebb::autograd
