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
                  int64_t pad) {
  const ConvAttrs attrs{.kernel = kernel, .stride = stride, .pad = pad};
  return convolution(*this, s, x, out_channels, attrs, shape(x).back() * kernel * kernel);
}

// PyTorch computes the fan-in of a transposed convolution from its [in, out, k, k] weight as
// out*k*k.
Value Ops::conv_transpose2d(const Scope& s, Value x, int64_t out_channels, int64_t kernel,
                            int64_t stride, int64_t pad) {
  const ConvAttrs attrs{.kernel = kernel, .stride = stride, .pad = pad, .transposed = true};
  return convolution(*this, s, x, out_channels, attrs, out_channels * kernel * kernel);
}

Value Ops::linear(const Scope& s, Value x, int64_t out_features) {
  const int64_t in_features = shape(x).back();
  const ParamInit init = default_init(in_features);
  const Value w = param(s / "weight", {out_features, in_features}, {ParamLayout::kPlain, init});
  const Value b = param(s / "bias", {out_features}, {ParamLayout::kPlain, init});
  const ConvAttrs attrs{.kernel = 1, .stride = 1, .pad = 0};
  return emit(ops::kConv, attrs, {x, w, b}, s);
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

Value Ops::embedding(const Scope& s, Value ids, int64_t entries, int64_t channels) {
  const Value table = param(s / "weight", {entries, channels}, {.init = {.deviation = 1}});
  return in_type(s, emit(ops::kEmbedding, {}, {table, ids}, s), activation_dtype());
}

}  // namespace ebb
