#include "testing/unet_attention.h"

namespace ebb::test {
namespace {

constexpr int64_t kChannels = 3, kSide = 8;
constexpr int64_t kWidth = 8, kWide = 16;
constexpr int64_t kGroups = 4, kHeads = 2;
constexpr int64_t kTimeChannels = 16, kTimeWidth = 32;

Value marked(Ops& ops, const Scope& s, Value value) {
  ops.mark_output(s, value);
  return value;
}

Value conv3x3(Ops& ops, const Scope& s, Value x, int64_t out, int64_t stride = 1) {
  return marked(ops, s, ops.conv2d(s, x, out, 3, stride, 1));
}

Value time_embedding(Ops& ops, const Scope& s, Value t) {
  const Value sines = ops.timestep_embedding(s, t, {.channels = kTimeChannels});  // [N, 16]
  const Value h = ops.silu(s, ops.linear(s / "linear_1", sines, kTimeWidth));     // [N, 32]
  return marked(ops, s, ops.linear(s / "linear_2", h, kTimeWidth));               // [N, 32]
}

// x [N, H, W, C], time [N, 32] -> [N, H, W, out].
Value resnet_block(Ops& ops, const Scope& s, Value x, Value time, int64_t out) {
  Value h = ops.group_norm(s / "norm1", x, kGroups, {.activation = Activation::kSilu});
  h = ops.conv2d(s / "conv1", h, out, 3, 1, 1);
  const Value both = ops.linear(s / "time_emb_proj", ops.silu(s, time), 2 * out);  // [N, 2 out]
  h = ops.group_norm(s / "norm2", h, kGroups,
                     {.activation = Activation::kSilu,
                      .scale = ops.slice_channels(s, both, 0, out),
                      .shift = ops.slice_channels(s, both, out, out)});
  h = ops.conv2d(s / "conv2", h, out, 3, 1, 1);
  const bool widens = ops.shape(x).back() != out;
  const Value shortcut = widens ? ops.conv2d(s / "conv_shortcut", x, out, 1, 1, 0) : x;
  return marked(ops, s, ops.add(s, h, shortcut));
}

// x [N, H, W, C] -> the same.
Value attention_block(Ops& ops, const Scope& s, Value x) {
  const int64_t c = ops.shape(x).back();
  const Value h = ops.group_norm(s / "group_norm", x, kGroups);
  const Value q = ops.linear(s / "to_q", h, c, Bias::kNone);
  const Value k = ops.linear(s / "to_k", h, c, Bias::kNone);
  const Value v = ops.linear(s / "to_v", h, c, Bias::kNone);
  const Value out = ops.linear(s / "to_out", ops.attention(s, q, k, v, kHeads), c);
  return marked(ops, s, ops.add(s, x, out));
}

// x [N, H, W, C] -> the same.
Value feed_forward(Ops& ops, const Scope& s, Value x) {
  const int64_t c = ops.shape(x).back();
  const Value h = ops.linear(s / "linear_1", ops.layer_norm(s / "norm", x), 2 * c);
  const Value out = ops.linear(s / "linear_2", ops.gelu(s, h), c);
  return marked(ops, s, ops.add(s, x, out));
}

Value forward(Ops& ops, const std::vector<Value>& inputs) {
  const Scope s;
  const Value time = time_embedding(ops, s / "time_embedding", inputs[1]);      // [N, 32]
  Value h = conv3x3(ops, s / "conv_in", inputs[0], kWidth);                     // [N, 8, 8,  8]
  const Value skip = resnet_block(ops, s / "down_resnet", h, time, kWidth);     // [N, 8, 8,  8]
  h = conv3x3(ops, s / "downsample", skip, kWide, 2);                           // [N, 4, 4, 16]
  h = resnet_block(ops, s / "mid_resnet", h, time, kWide);                      // [N, 4, 4, 16]
  h = attention_block(ops, s / "attention", h);                                 // [N, 4, 4, 16]
  h = feed_forward(ops, s / "feed_forward", h);                                 // [N, 4, 4, 16]
  h = conv3x3(ops, s / "upsample", ops.upsample(s / "upsample", h, 2), kWide);  // [N, 8, 8, 16]
  h = ops.concat(s / "up_resnet", {h, skip});                                   // [N, 8, 8, 24]
  h = resnet_block(ops, s / "up_resnet", h, time, kWidth);                      // [N, 8, 8,  8]
  h = ops.group_norm(s / "conv_norm_out", h, kGroups, {.activation = Activation::kSilu});
  return conv3x3(ops, s / "conv_out", h, kChannels);  // [N, 8, 8,  3]
}

}  // namespace

Network unet_attention() {
  return {.config = "{}",
          .inputs = {{.name = "x", .shape = {kSide, kSide, kChannels}, .role = InputRole::kSample},
                     {.name = "t", .shape = {}, .role = InputRole::kTime, .exact = true}},
          .forward = forward};
}

}  // namespace ebb::test
