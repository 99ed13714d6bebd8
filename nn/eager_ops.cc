#include "nn/eager_ops.h"

namespace ebb {

Value EagerOps::input(const Tensor& tensor) {
  tensors_.push_back(tensor);
  return {static_cast<int>(tensors_.size()) - 1};
}

Value EagerOps::param(const Scope& name, const Shape& shape, const ParamInfo&) {
  const auto found = params_.find(name.path());
  EBB_CHECK(found != params_.end(), Error, "parameter ", name.path(), " is missing");
  EBB_CHECK(found->second.shape() == shape, ShapeError, "parameter ", name.path(), " has shape ",
            found->second.shape(), ", expected ", shape);
  return input(to_dtype(context_, found->second, DType::kF32));
}

Value EagerOps::emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
                     const Scope& layer) {
  const LayerScope scope(context_, layer.path());
  std::vector<Tensor> tensors;
  for (Value value : inputs) tensors.push_back(tensor(value));
  return input(run_op(context_, op, attrs, tensors).front());
}

}  // namespace ebb
