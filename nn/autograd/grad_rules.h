#pragma once

#include <span>
#include <vector>

#include "engine/op.h"

namespace ebb::autograd {

// One step of the backward pass: the operation, what it read and wrote, and dL/d(output 0).
struct GradCall {
  Context& context;
  const OpAttrs& attrs;
  std::span<const Tensor> inputs;
  std::span<const Tensor> outputs;
  const Tensor& dy;
  // Per input: true if its gradient is needed.
  std::span<const bool> wanted;
  // Per input: the gradient. A defined tensor is the place to write it to (a view of the flat
  // gradient buffer); otherwise the rule sets one.
  std::span<Tensor> grads;

  // grads[i], allocated in the shape of inputs[i] when it has no place yet.
  const Tensor& grad(size_t i) const;
};

using GradRule = void (*)(const GradCall&);

struct GradDef {
  const OpDef* op;
  GradRule rule;
  size_t inputs;               // how many of the first inputs have a gradient
  bool reads_outputs = false;  // outputs must be kept for the rule
};

// Error for an operation without a gradient (ops::kBatchNorm: evaluation mode is not trained).
const GradDef& grad_def(const OpDef& op);

}  // namespace ebb::autograd
