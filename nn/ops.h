#pragma once

#include <optional>
#include <vector>

#include "engine/op.h"
#include "nn/param.h"
#include "nn/scope.h"

namespace ebb {

// A tensor of the network being described; what it holds depends on the Ops that made it.
struct Value {
  int id = -1;
};

// Optional steps after a GroupNorm's normalization.
struct GroupNormOptions {
  Activation activation = Activation::kNone;
  std::optional<Value> scale = {}, shift = {};  // [N, C]
  float eps = 1e-5f;
};

// The parameters of a LayerNorm: PyTorch's elementwise_affine=False, bias=False, and its default.
enum class Affine { kNone, kWeight, kWeightAndBias };

// Optional inputs of attention besides q, k and v.
struct AttentionOptions {
  std::optional<Value> extra_k = {}, extra_v = {};  // [N, tokens, C]: keys in front of the others
  // Added to the scaled products: [heads, queries, all keys] or, a bias for each image, with a
  // batch in front. -infinity hides a key.
  std::optional<Value> bias = {};
  float scale = 0;  // 0: 1 / sqrt(C / heads)
};

// Whether a layer adds a learned vector to its outputs.
enum class Bias { kNone, kLearned };

// The operations that networks are written with. Each consumer implements the four virtuals:
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
  // end_pad: zeros below and to the right where they are not as many as above and to the left.
  Value conv2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel, int64_t stride,
               int64_t pad, int64_t end_pad = -1);
  Value conv_transpose2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel,
                         int64_t stride, int64_t pad);
  // [N, C] -> [N, out_features], [N, L, C] -> [N, L, out_features]; of images too.
  Value linear(const Scope& s, Value x, int64_t out_features, Bias bias = Bias::kLearned);
  // One layer for several tensors.
  std::vector<Value> linear(const Scope& s, const std::vector<Value>& xs, int64_t out_features,
                            Bias bias = Bias::kLearned);
  // BatchNorm2d followed by an activation; a Tape in training mode uses batch statistics.
  Value batch_norm(const Scope& s, Value x, Activation activation);

  // GroupNorm, then (1 + scale) and shift per image and channel where they are given, [N, C] each,
  // then the activation.
  Value group_norm(const Scope& s, Value x, int64_t groups, const GroupNormOptions& options = {});
  Value layer_norm(const Scope& s, Value x, Affine affine = Affine::kWeightAndBias,
                   float eps = 1e-5f);
  Value rms_norm(const Scope& s, Value x, float eps = 1e-6f);

  // The rows of a learned table [entries, channels] that ids (i32) name, as activations:
  // [N] -> [N, channels], [N, L] -> [N, L, channels].
  Value embedding(const Scope& s, Value ids, int64_t entries, int64_t channels);
  // Sines and cosines of times [N] or [N, 1], an exact input of the network, as activations
  // [N, attrs.channels].
  Value timestep_embedding(const Scope& s, Value t, const TimestepAttrs& attrs);

  // Layers without parameters.
  Value activation(const Scope& s, Value x, Activation activation) {
    return emit(ops::kActivation, ActivationAttrs{activation}, {x}, s);
  }
  // scale * x + shift.
  Value affine(const Scope& s, Value x, float scale, float shift = 0) {
    return emit(ops::kAffine, AffineAttrs{scale, shift}, {x}, s);
  }
  Value gelu(const Scope& s, Value x) {
    return emit(ops::kActivation, ActivationAttrs{Activation::kGelu}, {x}, s);
  }
  Value gelu_tanh(const Scope& s, Value x) {
    return emit(ops::kActivation, ActivationAttrs{Activation::kGeluTanh}, {x}, s);
  }
  Value silu(const Scope& s, Value x) {
    return emit(ops::kActivation, ActivationAttrs{Activation::kSilu}, {x}, s);
  }
  // Over the last axis.
  Value softmax(const Scope& s, Value x) { return emit(ops::kSoftmax, {}, {x}, s); }
  // [N, H, W, C] -> [N, factor * H, factor * W, C], each pixel repeated.
  Value upsample(const Scope& s, Value x, int64_t factor) {
    return emit(ops::kUpsample, UpsampleAttrs{.factor = factor}, {x}, s);
  }
  // Windows of kernel x kernel pixels or, of tokens, of so many of them.
  Value avg_pool(const Scope& s, Value x, int64_t kernel) {
    return emit(ops::kAvgPool, PoolAttrs{kernel}, {x}, s);
  }
  // [N, H, W, C] or [N, tokens, C] -> [N, C].
  Value global_avg_pool(const Scope& s, Value x) {
    return emit(ops::kAvgPool, PoolAttrs{.kernel = shape(x)[1], .flat = true}, {x}, s);
  }
  // Along channels.
  Value concat(const Scope& s, const std::vector<Value>& parts) {
    return emit(ops::kConcat, {}, parts, s);
  }
  // Channels [first, first + count).
  Value slice_channels(const Scope& s, Value x, int64_t first, int64_t count) {
    return emit(ops::kSliceChannels, SliceAttrs{first, count}, {x}, s);
  }
  // [N, H, W, C] + [N, C], or two of the same shape.
  Value add(const Scope& s, Value x, Value y) { return emit(ops::kAdd, {}, {x, y}, s); }
  // [N, H, W, C] * [N, C], or two of the same shape.
  Value multiply(const Scope& s, Value x, Value y) { return emit(ops::kMultiply, {}, {x, y}, s); }
  // softmax(q k^T / sqrt(C / heads)) v with heads one after another in the channels:
  // q [N, tokens, C] or [N, H, W, C], k and v [N, keys, C] or [N, H, W, C] -> as q.
  Value attention(const Scope& s, Value q, Value k, Value v, int64_t heads,
                  const AttentionOptions& options = {});
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
  // The hybrid loss of prediction [N, H, W, 2C], noise and images [N, H, W, C] and steps [N, 4]
  // (kernels/loss/learned_range_loss.h) -> [1].
  Value learned_range_loss(Value prediction, Value noise, Value images, Value steps,
                           float vlb_weight) {
    return emit(ops::kLearnedRangeLoss, LearnedRangeAttrs{vlb_weight},
                {prediction, noise, images, steps}, Scope("loss"));
  }
  // [N, K], [N, K] -> [1].
  Value softmax_cross_entropy(Value logits, Value target) {
    return emit(ops::kSoftmaxCrossEntropy, {}, {logits, target}, Scope("loss"));
  }
};

}  // namespace ebb
