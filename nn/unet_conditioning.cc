#include "nn/unet_conditioning.h"

#include <cmath>

#include "nn/unet_blocks.h"

namespace ebb {
namespace {

Value marked(Ops& ops, const Scope& s, Value value) {
  ops.mark_output(s, value);
  return value;
}

// TimestepEmbedding: [N, C] -> [N, E].
Value two_layers(Ops& ops, const Scope& s, Value x, int64_t width, Activation activation) {
  const Value h = ops.activation(s, ops.linear(s / "linear_1", x, width), activation);
  return ops.linear(s / "linear_2", h, width);
}

// [N] -> [N, C0].
Value sinusoid(Ops& ops, const UnetLayout& layout, Value t) {
  return ops.timestep_embedding(Scope("time_proj"), t,
                                {.channels = layout.down.front().channels,
                                 .shift = layout.freq_shift,
                                 .sin_first = !layout.flip_sin_to_cos});
}

Value time_vector(Ops& ops, const UnetLayout& layout, Value t) {
  const Scope s("time_embedding");
  const int64_t channels = layout.down.front().channels;  // C0
  const Value x = layout.learned_timesteps > 0
                      ? ops.embedding(Scope("time_proj"), t, layout.learned_timesteps, channels)
                      : sinusoid(ops, layout, t);
  if (layout.time_condition_width > 0) {  // stored, but nothing is given to it
    ops.param(s / "cond_proj.weight", {channels, layout.time_condition_width}, {});
  }
  return marked(ops, s, two_layers(ops, s, x, layout.time_channels, layout.time_activation));
}

Value class_vector(Ops& ops, const UnetLayout& layout, Value labels) {
  const Scope s("class_embedding");
  const int64_t width = layout.time_channels;
  switch (layout.class_embedding) {
    case ClassEmbedding::kTable:
      return ops.embedding(s, labels, layout.class_width, width);
    case ClassEmbedding::kTimestep:
      return two_layers(ops, s, sinusoid(ops, layout, labels), width, layout.class_activation);
    case ClassEmbedding::kProjection:
      return two_layers(ops, s, labels, width, layout.class_activation);
    case ClassEmbedding::kSimpleProjection:
      return ops.linear(s, labels, width);
    case ClassEmbedding::kIdentity:
    case ClassEmbedding::kNone:
      break;
  }
  return labels;
}

// AttentionPooling: one more token, the mean of the others and a learned vector, attends to all.
// u [N, R, S] -> [N, S].
Value pooled(Ops& ops, const Scope& s, Value u, int64_t heads) {
  const int64_t tokens = ops.shape(u)[1], width = ops.shape(u).back();
  const ParamInfo normal{.init = {.deviation = 1 / std::sqrt(static_cast<float>(width))}};
  const Value position = ops.in_type(s, ops.param(s / "positional_embedding", {1, width}, normal),
                                     ops.activation_dtype());
  const Value token = ops.add(s, ops.avg_pool(s, u, tokens), position);  // [N, 1, S]
  const Value q = ops.linear(s / "q_proj", token, width);
  const std::vector<Value> k = ops.linear(s / "k_proj", {token, u}, width);
  const std::vector<Value> v = ops.linear(s / "v_proj", {token, u}, width);
  const Value o = ops.attention(s, q, k[1], v[1], heads, {.extra_k = k[0], .extra_v = v[0]});
  return marked(ops, s, ops.global_avg_pool(s, o));  // of one token: itself
}

// TextTimeEmbedding: text [N, R, S] -> [N, E].
Value text_vector(Ops& ops, const UnetLayout& layout, Value text) {
  const Scope s("add_embedding");
  const Value u = ops.layer_norm(s / "norm1", text);
  const Value pool = pooled(ops, s / "pool", u, layout.pool_heads);
  const Value projected = ops.linear(s / "proj", pool, layout.time_channels);
  return marked(ops, s, ops.layer_norm(s / "norm2", projected));
}

}  // namespace

Value unet_embedding(Ops& ops, const UnetLayout& layout, const UnetConditions& conditions) {
  const Scope s("embedding");
  Value embedding = time_vector(ops, layout, conditions.timestep);  // [N, E]
  if (layout.class_embedding != ClassEmbedding::kNone) {
    const Value c = marked(ops, Scope("class_embedding"),
                           class_vector(ops, layout, conditions.class_labels.value()));
    embedding =
        layout.class_embeddings_concat ? ops.concat(s, {embedding, c}) : ops.add(s, embedding, c);
  }
  if (layout.pool_heads > 0) {
    embedding = ops.add(s, embedding, text_vector(ops, layout, conditions.text.value()));
  }
  return activate(ops, s, embedding, layout.embedding_activation);
}

std::optional<Value> unet_text(Ops& ops, const UnetLayout& layout,
                               const std::optional<Value>& text) {
  if (!layout.projects_text) return text;
  const Scope s("encoder_hid_proj");
  return marked(ops, s, ops.linear(s, text.value(), layout.cross_attention_dim));
}

}  // namespace ebb
