#pragma once

#include <map>

#include "nn/ops.h"

namespace ebb {

// Computes each operation at once, in inference mode, and keeps every module's output.
class EagerOps final : public Ops {
 public:
  EagerOps(Context& context, const TensorMap& params) : context_(context), params_(params) {}

  Value input(const Tensor& tensor);

  Value param(const Scope& name, const Shape& shape, const ParamInfo& info) override;
  Value emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
             const Scope& layer) override;
  Shape shape(Value value) const override { return tensor(value).shape(); }
  DType dtype(Value value) const override { return tensor(value).dtype(); }
  DType activation_dtype() const override { return ebb::activation_dtype(context_.precision()); }
  void mark_output(const Scope& module, Value value) override {
    module_outputs_[module.path()] = tensor(value);
  }

  const Tensor& tensor(Value value) const { return tensors_.at(value.id); }
  const TensorMap& module_outputs() const { return module_outputs_; }

 private:
  Context& context_;
  const TensorMap& params_;
  std::vector<Tensor> tensors_;
  TensorMap module_outputs_;
};

}  // namespace ebb
