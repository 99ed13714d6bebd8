#include "nn/autograd/tape.h"

#include <algorithm>
#include <utility>

#include "kernels/kernel_table.h"
#include "nn/autograd/grad_rules.h"

namespace ebb::autograd {

Tape::Tape(Context& context, ParamStore& params, Mode mode)
    : context_(context), params_(params), mode_(mode) {}

Value Tape::add_variable(Variable variable) {
  variables_.push_back(std::move(variable));
  return {static_cast<int>(variables_.size()) - 1};
}

Value Tape::input(const Tensor& tensor) { return add_variable({.tensor = tensor}); }

Value Tape::param(const Scope& name, const Shape& shape, const ParamInfo& info) {
  const Tensor& value = params_.value(name.path());
  EBB_CHECK(value.shape() == shape, ShapeError, "parameter ", name.path(), " has shape ",
            value.shape(), ", expected ", shape);
  Variable variable{.tensor = value};
  variable.needs_grad = info.trainable && mode_ == Mode::kTrain;
  if (variable.needs_grad) variable.grad_place = params_.grad(name.path());
  return add_variable(std::move(variable));
}

Value Tape::emit(const OpDef& inference_op, const OpAttrs& attrs, const std::vector<Value>& inputs,
                 const Scope& layer) {
  const bool trains = mode_ == Mode::kTrain;
  const OpDef& op =
      trains && inference_op.in_training != nullptr ? *inference_op.in_training : inference_op;
  const LayerScope scope(context_, layer.path());
  Node node{.op = &op, .attrs = attrs, .layer = layer.path()};
  bool needs_grad = false;
  for (Value value : inputs) {
    node.inputs.push_back(value.id);
    node.input_tensors.push_back(tensor(value));
    if (!variables_[value.id].needs_grad) continue;
    needs_grad = true;
    EBB_CHECK(node.inputs.size() <= grad_def(op).inputs, Error, op.name,
              ": has no gradient for input ", node.inputs.size() - 1);
  }
  std::vector<Tensor> read = node.input_tensors;
  if (trains && op.attrs_with_moments != nullptr) {
    node.attrs = op.attrs_with_moments(context_, attrs, read);
  }
  if (op.takes_moments) {
    const Tensor moments = std::exchange(variables_[inputs[0].id].moments, Tensor());
    if (moments.defined()) read.push_back(moments);
  }
  std::vector<Tensor> outputs = run_op(context_, op, node.attrs, read);
  const Value result = add_variable({.tensor = outputs.front(), .needs_grad = needs_grad});
  if (op.attrs_with_moments != nullptr && outputs.size() == 2) {
    variables_[result.id].moments = outputs[1];
  }
  if (needs_grad) {
    node.output = result.id;
    if (grad_def(op).reads_outputs) node.output_tensors = std::move(outputs);
    nodes_.push_back(std::move(node));
  }
  return result;
}

void Tape::mark_output(const Scope& module, Value value) {
  if (keep_module_outputs_) module_outputs_[module.path()] = tensor(value);
}

void Tape::accumulate(Variable& variable, const Tensor& grad) {
  if (!variable.grad.defined()) {
    variable.grad = grad;
    return;
  }
  if (grad.dtype() != DType::kF32) {  // of an activation
    context_.launch(&KernelTable::broadcast_forward,
                    BroadcastForwardArgs{.op = BroadcastOp::kAdd,
                                         .n = 1,
                                         .pixels = 1,
                                         .c = grad.elements(),
                                         .x_n = 1,
                                         .s_n = 1,
                                         .dtype = grad.dtype(),
                                         .x = variable.grad.raw(),
                                         .s = grad.raw(),
                                         .y = variable.grad.raw()},
                    "add_forward");
    return;
  }
  const float* one = params_.one().data<float>();
  const LinearTerm terms[] = {{variable.grad.data<float>(), one}, {grad.data<float>(), one}};
  context_.launch(&KernelTable::linear_combination,
                  LinearCombinationArgs{.n = 1,
                                        .elements = grad.elements(),
                                        .per_image = false,
                                        .terms = 2,
                                        .term = {terms[0], terms[1]},
                                        .y = variable.grad.data<float>()});
}

void Tape::run_rule(const Node& node) {
  const LayerScope scope(context_, node.layer);
  const size_t count = node.inputs.size();
  std::vector<Tensor> grads(count);
  const auto wanted = std::make_unique<bool[]>(count);
  for (size_t i = 0; i < count; ++i) {
    const Variable& variable = variables_[node.inputs[i]];
    wanted[i] = variable.needs_grad;
    const auto here = node.inputs.begin() + static_cast<ptrdiff_t>(i);
    const bool first_use =
        !variable.grad.defined() && std::find(node.inputs.begin(), here, *here) == here;
    if (first_use) grads[i] = variable.grad_place;
  }
  const Tensor dy = variables_[node.output].grad;
  variables_[node.output].grad = Tensor();
  grad_def(*node.op).rule({.context = context_,
                           .attrs = node.attrs,
                           .inputs = node.input_tensors,
                           .outputs = node.output_tensors,
                           .dy = dy,
                           .wanted = std::span<const bool>(wanted.get(), count),
                           .grads = grads});
  for (size_t i = 0; i < count; ++i) {
    if (wanted[i]) accumulate(variables_[node.inputs[i]], grads[i]);
  }
}

void Tape::backward(Value loss) {
  EBB_CHECK(!nodes_.empty() && variables_.at(loss.id).needs_grad, Error,
            "backward: nothing was recorded, or it was used already");
  EBB_CHECK(tensor(loss).elements() == 1, ShapeError, "backward: loss ", tensor(loss).shape(),
            ", expected one element");
  variables_[loss.id].grad = params_.one();
  while (!nodes_.empty()) {
    // Later readers of a variable come first, so its gradient is complete here.
    const Node node = std::move(nodes_.back());
    nodes_.pop_back();
    variables_[node.output].tensor = Tensor();
    if (variables_[node.output].grad.defined()) run_rule(node);
  }
  for (const Variable& variable : variables_) {
    const bool unreached = variable.grad_place.defined() && !variable.grad.defined();
    if (unreached) variable.grad_place.fill_zero();
  }
}

}  // namespace ebb::autograd
