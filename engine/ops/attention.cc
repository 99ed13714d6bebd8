#include <array>
#include <cmath>

#include "engine/op.h"
#include "engine/ops/image_runs.h"
#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

constexpr int64_t kMaxHeadDim = AttentionSize::kMaxHeadDim;

void check_tokens(const char* name, const Shape& tokens, int64_t c) {
  EBB_CHECK(tokens.rank() >= 3 && tokens.back() == c, ShapeError, "attention: ", name, " ", tokens,
            ", expected [N, tokens, ", c, "]");
}

void check_bias(const AttentionAttrs& attrs, std::span<const Shape> inputs) {
  int64_t keys = pixel_count(inputs[1]);
  if (attrs.extra) keys += pixel_count(inputs[3]);
  const Shape expected{attrs.heads, pixel_count(inputs[0]), keys};
  const Shape& bias = inputs.back();
  const bool per_image = bias.rank() == 4 && Shape{bias[1], bias[2], bias[3]} == expected;
  EBB_CHECK(bias == expected || per_image, ShapeError, "attention: bias ", bias, ", expected ",
            expected);
}

// q [N, tokens, C], k and v [N, keys, C][, extra_k and extra_v [N, extra keys, C]]
// [, bias ([N,] heads, tokens, extra + keys)] -> o as q, lse [N, heads, tokens]. Tokens may be
// pixels: [N, H, W, C]. Batches are read modulo theirs.
std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  const auto& attrs = std::get<AttentionAttrs>(op_attrs);
  EBB_CHECK(inputs.size() == size_t{3} + 2 * attrs.extra + attrs.bias, ShapeError,
            "attention: got ", inputs.size(), " inputs, expected q, k, v",
            attrs.extra ? ", extra_k, extra_v" : "", attrs.bias ? ", bias" : "");
  const Shape& q = inputs[0];
  EBB_CHECK(q.rank() >= 3, ShapeError, "attention: q ", q, ", expected [N, tokens, C]");
  EBB_CHECK(attrs.heads > 0 && q.back() % attrs.heads == 0 && q.back() / attrs.heads <= kMaxHeadDim,
            ShapeError, "attention: q ", q, ", expected a multiple of ", attrs.heads,
            " heads, of at most ", kMaxHeadDim, " numbers each");
  const size_t operands = attrs.extra ? 5 : 3;
  static constexpr const char* kNames[] = {"q", "k", "v", "extra_k", "extra_v"};
  for (size_t i = 1; i < operands; ++i) {
    check_tokens(kNames[i], inputs[i], q.back());
    EBB_CHECK(i % 2 == 1 || inputs[i] == inputs[i - 1], ShapeError, "attention: ", kNames[i], " ",
              inputs[i], ", expected ", inputs[i - 1], " as ", kNames[i - 1]);
  }
  Shape o = q;
  o[0] = common_batch("attention", inputs.first(operands));
  if (attrs.bias) check_bias(attrs, inputs);
  if (attrs.bias && inputs.back().rank() == 4) {
    o[0] = common_batch("attention", std::array{o, inputs.back()});
  }
  return {o, {o[0], attrs.heads, pixel_count(q)}};
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<AttentionAttrs>(call.attrs);
  const auto inputs = call.inputs;
  const Tensor &q = inputs[0], &k = inputs[1], &o = call.outputs[0], &lse = call.outputs[1];
  const Tensor* extra_k = attrs.extra ? &inputs[3] : nullptr;
  // The kernel has one bias for all images of a launch.
  const bool biases = attrs.bias && inputs.back().shape().rank() == 4;
  const auto bias_of = [&](int64_t n) {
    if (!attrs.bias) return static_cast<const float*>(nullptr);
    return biases ? reinterpret_cast<const float*>(image_of(inputs.back(), n))
                  : inputs.back().data<float>();
  };
  const auto attend = [&](int64_t n, int64_t count) {
    AttentionForwardArgs args{.size = attention_op_size(attrs, inputs),
                              .dtype = q.dtype(),
                              .scale = attention_op_scale(attrs, q.shape()),
                              .q = image_of(q, n),
                              .k = image_of(k, n),
                              .v = image_of(inputs[2], n),
                              .extra_k = attrs.extra ? image_of(inputs[3], n) : nullptr,
                              .extra_v = attrs.extra ? image_of(inputs[4], n) : nullptr,
                              .bias = bias_of(n),
                              .o = image_of(o, n),
                              .lse = reinterpret_cast<float*>(image_of(lse, n))};
    args.size.b = count;
    context.launch(&KernelTable::attention_forward, args);
  };
  for_each_run(o.shape()[0], {&q, &k, extra_k}, [&](int64_t n, int64_t count) {
    const int64_t together = biases && inputs.back().shape()[0] > 1 ? 1 : count;
    for (int64_t i = 0; i < count; i += together) attend(n + i, together);
  });
}

}  // namespace

AttentionSize attention_op_size(const AttentionAttrs& attrs, std::span<const Tensor> inputs) {
  const Shape& q = inputs[0].shape();
  const int64_t c = q.back();
  return {.b = q[0],
          .heads = attrs.heads,
          .d = c / attrs.heads,
          .queries = pixel_count(q),
          .keys = pixel_count(inputs[1].shape()),
          .extra = attrs.extra ? pixel_count(inputs[3].shape()) : 0,
          .q_pitch = c,
          .kv_pitch = c,
          .extra_pitch = c,
          .o_pitch = c};
}

float attention_op_scale(const AttentionAttrs& attrs, const Shape& q) {
  if (attrs.scale != 0) return attrs.scale;
  const int64_t head_width = q.back() / attrs.heads;
  return 1 / std::sqrt(static_cast<float>(head_width));
}

const OpDef kAttention = {
    .name = "attention", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
