#include "nn/layers.h"

namespace ebb {
namespace {

Value marked(Ops& ops, const Scope& s, Value value) {
  ops.mark_output(s, value);
  return value;
}

Value norm_gelu(Ops& ops, const Scope& s, Value x) {
  return marked(ops, s, ops.batch_norm(s / "bn", x, Activation::kGelu));
}

}  // namespace

Value conv(Ops& ops, const Scope& s, Value x, int64_t out) {
  return norm_gelu(ops, s, ops.conv2d(s / "conv", x, out, 3, 1, 1));
}

Value down_conv(Ops& ops, const Scope& s, Value x, int64_t out) {
  return norm_gelu(ops, s, ops.conv2d(s / "conv", x, out, 3, 2, 1));
}

Value up_conv(Ops& ops, const Scope& s, Value x, int64_t out) {
  return norm_gelu(ops, s, ops.conv_transpose2d(s / "conv", x, out, 4, 2, 1));
}

Value flatten(Ops& ops, const Scope& s, Value x) {
  return marked(ops, s, ops.gelu(s, ops.avg_pool(s, x, 7)));
}

Value unflatten(Ops& ops, const Scope& s, Value x) {
  return norm_gelu(ops, s, ops.conv_transpose2d(s / "conv", x, ops.shape(x).back(), 7, 7, 0));
}

Value conv_block(Ops& ops, const Scope& s, Value x, int64_t out) {
  const Value h = conv(ops, s / "conv1", x, out);
  return marked(ops, s, conv(ops, s / "conv2", h, out));
}

Value down_block(Ops& ops, const Scope& s, Value x, int64_t out) {
  const Value h = down_conv(ops, s / "down", x, out);
  return marked(ops, s, conv_block(ops, s / "block", h, out));
}

Value up_block(Ops& ops, const Scope& s, Value x, int64_t out) {
  const Value h = up_conv(ops, s / "up", x, out);
  return marked(ops, s, conv_block(ops, s / "block", h, out));
}

Value fc_block(Ops& ops, const Scope& s, Value x, int64_t out) {
  const Value h = ops.gelu(s / "fc1", ops.linear(s / "fc1", x, out));
  return marked(ops, s, ops.linear(s / "fc2", h, out));
}

}  // namespace ebb
