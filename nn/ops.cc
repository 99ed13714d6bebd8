#include "nn/ops.h"

#include <cmath>

namespace ebb {
namespace {

// PyTorch's default for Conv and Linear: weight and bias uniform in +-1/sqrt(fan_in)
// (kaiming_uniform_ with a = sqrt(5)).
ParamInit default_init(int64_t fan_in) {
  return {.bound = static_cast<float>(1.0 / std::sqrt(static_cast<double>(fan_in)))};
}

Value convolution(Ops& ops, const Scope& s, Value x, int64_t out_channels, const ConvAttrs& attrs,
                  int64_t fan_in) {
  const Shape shape{out_channels, attrs.kernel, attrs.kernel, ops.shape(x).back()};
  const ParamLayout layout = attrs.transposed ? ParamLayout::kConvTranspose : ParamLayout::kConv;
  const Value w = ops.param(s / "weight", shape, {layout, default_init(fan_in)});
  const Value b =
      ops.param(s / "bias", {out_channels}, {ParamLayout::kPlain, default_init(fan_in)});
  return ops.emit(ops::kConv, attrs, {x, w, b}, s);
}

}  // namespace

Value Ops::conv2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel, int64_t stride,
                  int64_t pad, int64_t end_pad) {
  const ConvAttrs attrs{.kernel = kernel, .stride = stride, .pad = pad, .end_pad = end_pad};
  return convolution(*this, s, x, out_channels, attrs, shape(x).back() * kernel * kernel);
}

// PyTorch computes the fan-in of a transposed convolution from its [in, out, k, k] weight as
// out*k*k.
Value Ops::conv_transpose2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel,
                            int64_t stride, int64_t pad) {
  const ConvAttrs attrs{.kernel = kernel, .stride = stride, .pad = pad, .transposed = true};
  return convolution(*this, s, x, out_channels, attrs, out_channels * kernel * kernel);
}

Value Ops::linear(const Scope& s, Value x, int64_t out_features, Bias bias) {
  return linear(s, std::vector<Value>{x}, out_features, bias).front();
}

std::vector<Value> Ops::linear(const Scope& s, const std::vector<Value>& xs, int64_t out_features,
                               Bias bias) {
  const int64_t in_features = shape(xs.front()).back();
  const ParamInit init = default_init(in_features);
  std::vector<Value> inputs{
      {}, param(s / "weight", {out_features, in_features}, {ParamLayout::kPlain, init})};
  ConvAttrs attrs{.kernel = 1, .stride = 1, .pad = 0};
  attrs.reads_bias = bias == Bias::kLearned;
  if (attrs.reads_bias) {
    inputs.push_back(param(s / "bias", {out_features}, {ParamLayout::kPlain, init}));
  }
  std::vector<Value> ys;
  for (const Value x : xs) {
    inputs[0] = x;
    ys.push_back(emit(ops::kConv, attrs, inputs, s));
  }
  return ys;
}

Value Ops::batch_norm(const Scope& s, Value x, Activation activation) {
  const Shape per_channel{shape(x).back()};
  const ParamInfo zeros{}, ones{.init = {.constant = 1}};
  const ParamInfo running_zeros{.init = {}, .trainable = false};
  const ParamInfo running_ones{.init = {.constant = 1}, .trainable = false};
  const Value gamma = param(s / "weight", per_channel, ones);
  const Value beta = param(s / "bias", per_channel, zeros);
  const Value mean = param(s / "running_mean", per_channel, running_zeros);
  const Value var = param(s / "running_var", per_channel, running_ones);
  return emit(ops::kBatchNorm, BatchNormAttrs{.activation = activation},
              {x, gamma, beta, mean, var}, s);
}

Value Ops::group_norm(const Scope& s, Value x, int64_t groups, const GroupNormOptions& options) {
  const Shape per_channel{shape(x).back()};
  std::vector<Value> inputs{x, param(s / "weight", per_channel, {.init = {.constant = 1}}),
                            param(s / "bias", per_channel, {})};
  if (options.scale) inputs.push_back(in_type(s, *options.scale, DType::kF32));
  if (options.shift) inputs.push_back(in_type(s, *options.shift, DType::kF32));
  return emit(ops::kGroupNorm,
              GroupNormAttrs{.groups = groups,
                             .eps = options.eps,
                             .activation = options.activation,
                             .scales = options.scale.has_value(),
                             .shifts = options.shift.has_value()},
              inputs, s);
}

Value Ops::layer_norm(const Scope& s, Value x, Affine affine, float eps) {
  const Shape per_channel{shape(x).back()};
  std::vector<Value> inputs{x};
  if (affine != Affine::kNone) {
    inputs.push_back(param(s / "weight", per_channel, {.init = {.constant = 1}}));
  }
  if (affine == Affine::kWeightAndBias) inputs.push_back(param(s / "bias", per_channel, {}));
  return emit(ops::kLayerNorm, LayerNormAttrs{eps}, inputs, s);
}

Value Ops::rms_norm(const Scope& s, Value x, float eps) {
  const Value weight = param(s / "weight", {shape(x).back()}, {.init = {.constant = 1}});
  return emit(ops::kRmsNorm, RmsNormAttrs{eps}, {x, weight}, s);
}

Value Ops::attention(const Scope& s, Value q, Value k, Value v, int64_t heads,
                     const AttentionOptions& options) {
  EBB_CHECK(options.extra_k.has_value() == options.extra_v.has_value(), ShapeError, s.path(),
            ": attention has one of extra_k and extra_v, expected both or none");
  std::vector<Value> inputs{q, k, v};
  if (options.extra_k) inputs.insert(inputs.end(), {*options.extra_k, *options.extra_v});
  if (options.bias) inputs.push_back(in_type(s, *options.bias, DType::kF32));
  return emit(ops::kAttention,
              AttentionAttrs{.heads = heads,
                             .scale = options.scale,
                             .extra = options.extra_k.has_value(),
                             .bias = options.bias.has_value()},
              inputs, s);
}

Value Ops::embedding(const Scope& s, Value ids, int64_t entries, int64_t channels) {
  const Value table = param(s / "weight", {entries, channels}, {.init = {.deviation = 1}});
  return in_type(s, emit(ops::kEmbedding, {}, {table, ids}, s), activation_dtype());
}

Value Ops::timestep_embedding(const Scope& s, Value t, const TimestepAttrs& attrs) {
  EBB_CHECK(dtype(t) == DType::kF32, Error, "timestep_embedding: times are ", to_string(dtype(t)),
            ", expected f32. Make the network's input exact.");
  return in_type(s, emit(ops::kTimestepEmbedding, attrs, {t}, s), activation_dtype());
}

}  // namespace ebb
