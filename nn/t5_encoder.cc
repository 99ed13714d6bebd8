#include "nn/t5_encoder.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "base/text.h"
#include "kernels/attention/attention.h"
#include "nn/config_reader.h"

namespace ebb {
namespace {

Value marked(Ops& ops, const Scope& s, Value value) {
  ops.mark_output(s, value);
  return value;
}

Value norm(Ops& ops, const T5Config& config, const Scope& s, Value x) {
  return marked(ops, s, ops.rms_norm(s, x, static_cast<float>(config.epsilon)));
}

// T5 scales no products: its initial weights do.
Value self_attention(Ops& ops, const T5Config& config, const Scope& s, Value x, Value bias) {
  const int64_t width = config.heads * config.d_kv;
  const auto projected = [&](const char* name) {
    return ops.linear(s / name, x, width, Bias::kNone);
  };
  const Value q = projected("q"), k = projected("k"), v = projected("v");
  const Value o = ops.attention(s, q, k, v, config.heads, {.bias = bias, .scale = 1});
  return marked(ops, s, ops.linear(s / "o", o, config.d_model, Bias::kNone));
}

Value feed_forward(Ops& ops, const T5Config& config, const Scope& s, Value x) {
  const auto hidden = [&](const char* name) {
    return ops.linear(s / name, x, config.d_ff, Bias::kNone);
  };
  Value h;
  if (config.gated) {
    const Value gate = ops.gelu_tanh(s, hidden("wi_0"));
    h = ops.multiply(s, gate, hidden("wi_1"));
  } else {
    h = ops.activation(s, hidden("wi"), Activation::kRelu);
  }
  return marked(ops, s, ops.linear(s / "wo", h, config.d_model, Bias::kNone));
}

// A position_bias of N texts; the table it is made from is a parameter that only its maker reads.
Value t5_encoder(Ops& ops, const T5Config& config, Value ids, Value position_bias) {
  Value x = ops.embedding(Scope("shared"), ids, config.vocab_size, config.d_model);
  const Scope attention("encoder.block.0.layer.0.SelfAttention");
  ops.param(attention / "relative_attention_bias.weight", {config.buckets, config.heads},
            {.init = {.deviation = 1}});
  for (int64_t i = 0; i < config.layers; ++i) x = t5_block(ops, config, i, x, position_bias);
  const Value states = norm(ops, config, Scope("encoder.final_layer_norm"), x);
  return marked(ops, Scope("output"), states);
}

}  // namespace

T5Config t5_config(const Json& json, const std::string& where) {
  const ConfigReader reader(json, where);
  constexpr int64_t kMaxWidth = 1 << 20;
  T5Config config;
  config.d_model = reader.integer("d_model", config.d_model, 1, kMaxWidth);
  config.d_kv = reader.integer("d_kv", config.d_kv, 1, AttentionSize::kMaxHeadDim);
  config.d_ff = reader.integer("d_ff", config.d_ff, 1, kMaxWidth);
  config.layers = reader.integer("num_layers", config.layers, 1, 1000);
  config.heads = reader.integer("num_heads", config.heads, 1, 1024);
  config.vocab_size = reader.integer("vocab_size", config.vocab_size, 1, 10'000'000);
  // From four on, near and far positions have buckets in both directions.
  config.buckets = reader.integer("relative_attention_num_buckets", config.buckets, 4, 65536);
  config.max_distance = reader.integer("relative_attention_max_distance", config.max_distance,
                                       config.buckets / 4 + 1, 1'000'000);
  config.epsilon = reader.positive("layer_norm_epsilon", config.epsilon);
  config.gated =
      reader.choice<bool>("feed_forward_proj", "relu", {{"relu", false}, {"gated-gelu", true}});
  return config;
}

Network t5_encoder_network(const T5Config& config, int64_t tokens) {
  Network network;
  network.inputs = {{"input_ids", {tokens}, InputRole::kCondition, DType::kI32},
                    {"position_bias",
                     {config.heads, tokens, tokens},
                     InputRole::kCondition,
                     DType::kF32,
                     /*exact=*/true}};
  network.forward = [config](Ops& ops, const std::vector<Value>& inputs) {
    return t5_encoder(ops, config, inputs.at(0), inputs.at(1));
  };
  return network;
}

Value t5_block(Ops& ops, const T5Config& config, int64_t index, Value x, Value position_bias) {
  const Scope block(cat("encoder.block.", index));
  const Scope first = block / "layer.0", second = block / "layer.1";
  const Value n = norm(ops, config, first / "layer_norm", x);
  const Value attended = self_attention(ops, config, first / "SelfAttention", n, position_bias);
  const Value h = marked(ops, first, ops.add(first, x, attended));
  const Value m = norm(ops, config, second / "layer_norm", h);
  const Value y = ops.add(second, h, feed_forward(ops, config, second / "DenseReluDense", m));
  return marked(ops, block, marked(ops, second, y));
}

// In f32, as transformers computes it: half of the buckets for keys behind the query, of each half
// one half for single distances, the others for distances that grow as powers.
int64_t t5_bucket(const T5Config& config, int64_t distance) {
  const int64_t half = config.buckets / 2, exact = half / 2, far = std::abs(distance);
  const int64_t first = distance > 0 ? half : 0;
  if (far < exact) return first + far;
  const auto range = static_cast<float>(
      std::log(static_cast<double>(config.max_distance) / static_cast<double>(exact)));
  const float power = std::log(static_cast<float>(far) / static_cast<float>(exact)) / range;
  const auto step = static_cast<int64_t>(power * static_cast<float>(half - exact));
  return first + std::min(half - 1, exact + step);
}

std::vector<float> t5_position_bias(const T5Config& config, std::span<const float> table,
                                    std::span<const int32_t> mask) {
  EBB_CHECK(table.size() == static_cast<size_t>(config.buckets * config.heads), ShapeError,
            "t5_position_bias: table of ", table.size(), " numbers, expected ", config.buckets,
            " buckets of ", config.heads, " heads");
  EBB_CHECK(std::any_of(mask.begin(), mask.end(), [](int32_t seen) { return seen != 0; }), Error,
            "t5_position_bias: a text of padding only, expected a token");
  const auto tokens = static_cast<int64_t>(mask.size());
  std::vector<float> bias(config.heads * tokens * tokens);
  for (int64_t i = 0; i < tokens; ++i) {
    for (int64_t j = 0; j < tokens; ++j) {
      const int64_t row = t5_bucket(config, j - i) * config.heads;
      for (int64_t head = 0; head < config.heads; ++head) {
        bias[(head * tokens + i) * tokens + j] =
            mask[j] != 0 ? table[row + head] : -std::numeric_limits<float>::infinity();
      }
    }
  }
  return bias;
}

}  // namespace ebb
