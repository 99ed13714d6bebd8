#pragma once

#include <vector>

#include "engine/op.h"
#include "nn/param.h"
#include "nn/scope.h"

namespace ebb {

// A tensor of the network being described; what it holds depends on the Ops that made it.
struct Value {
  int id = -1;
};

// What a network's text is written against. Each consumer implements the four virtuals:
// ParamCollector lists the parameters, GraphBuilder builds the inference graph, EagerOps computes
// layer by layer, autograd::Tape computes and records. Shapes are NHWC or [N, C].
class Ops {
 public:
  virtual ~Ops() = default;

  // A parameter by its full name.
  virtual Value param(const Scope& name, const Shape& shape, const ParamInfo& info) = 0;
  // One operation; its first output. `layer` is the module it belongs to.
  virtual Value emit(const OpDef& op, const OpAttrs& attrs, const std::vector<Value>& inputs,
                     const Scope& layer) = 0;
  virtual Shape shape(Value value) const = 0;
  // The type of a value, and the one that activations have here.
  virtual DType dtype(Value) const { return DType::kF32; }
  virtual DType activation_dtype() const { return DType::kF32; }
  // Says that `value` is the output of a module.
  virtual void mark_output(const Scope&, Value) {}

  // PyTorch's layers under their usual names; each creates its parameters under `s`.
  Value conv2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel, int64_t stride,
               int64_t pad);
  Value conv_transpose2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel,
                         int64_t stride, int64_t pad);
  Value linear(const Scope& s, Value x, int64_t out_features);
  // BatchNorm2d followed by an activation; a Tape in training mode uses batch statistics.
  Value batch_norm(const Scope& s, Value x, Activation activation);

  // The rows of a learned table [entries, channels] that ids (i32) name, as activations:
  // [N] -> [N, channels], [N, L] -> [N, L, channels].
  Value embedding(const Scope& s, Value ids, int64_t entries, int64_t channels);

  // Layers without parameters.
  Value gelu(const Scope& s, Value x) {
    return emit(ops::kActivation, ActivationAttrs{Activation::kGelu}, {x}, s);
  }
  Value avg_pool(const Scope& s, Value x, int64_t kernel) {
    return emit(ops::kAvgPool, PoolAttrs{kernel}, {x}, s);
  }
  // Of square images: [N, H, H, C] -> [N, C].
  Value global_avg_pool(const Scope& s, Value x) {
    return emit(ops::kAvgPool, PoolAttrs{.kernel = shape(x)[1], .flat = true}, {x}, s);
  }
  // Along channels.
  Value concat(const Scope& s, const std::vector<Value>& parts) {
    return emit(ops::kConcat, {}, parts, s);
  }
  // [N, H, W, C] + [N, C].
  Value add(const Scope& s, Value x, Value per_image) {
    return emit(ops::kAdd, {}, {x, per_image}, s);
  }
  // [N, H, W, C] * [N, C].
  Value multiply(const Scope& s, Value x, Value per_image) {
    return emit(ops::kMultiply, {}, {x, per_image}, s);
  }
  Value convert(const Scope& s, Value x, DType dtype) {
    return emit(ops::kConvert, ConvertAttrs{dtype}, {x}, s);
  }
  // Converted where x has another type.
  Value in_type(const Scope& s, Value x, DType dtype) {
    return this->dtype(x) == dtype ? x : convert(s, x, dtype);
  }

  // Two of the same shape -> [1].
  Value mse_loss(Value prediction, Value target) {
    return emit(ops::kMseLoss, {}, {prediction, target}, Scope("loss"));
  }
  // [N, K], [N, K] -> [1].
  Value softmax_cross_entropy(Value logits, Value target) {
    return emit(ops::kSoftmaxCrossEntropy, {}, {logits, target}, Scope("loss"));
  }
};

}  // namespace ebb
