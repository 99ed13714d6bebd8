#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/network.h"

namespace ebb {

// config.json of a T5 encoder (Raffel et al. 2020; the gated feed-forward is v1.1's, Shazeer 2020)
// as transformers writes it.
struct T5Config {
  int64_t d_model = 512, d_kv = 64, d_ff = 2048;  // d_kv: numbers per head
  int64_t layers = 6, heads = 8, vocab_size = 32128;
  int64_t buckets = 32, max_distance = 128;  // of relative positions
  double epsilon = 1e-6;
  bool gated = false;  // wo(gelu_tanh(wi_0 x) * (wi_1 x)), else wo(relu(wi x))
};

// FormatError names `where`, the key and its value.
T5Config t5_config(const Json& json, const std::string& where);

// The encoder for texts of `tokens` tokens. Inputs: input_ids [N, tokens], i32, and position_bias
// [N, heads, tokens, tokens], what t5_position_bias() makes of each text's mask. Returns the states
// [N, tokens, d_model]. Parameters have transformers' names; the table of tokens is shared.weight.
Network t5_encoder_network(const T5Config& config, int64_t tokens);

// One block: x [N, tokens, d_model] -> the same shape. Its parameters are encoder.block.<index>.*.
Value t5_block(Ops& ops, const T5Config& config, int64_t index, Value x, Value position_bias);

// Bucket of the key `distance` tokens behind (or, negative, before) the query.
int64_t t5_bucket(const T5Config& config, int64_t distance);

// [heads, tokens, tokens]: what every block adds to the products of a text's queries and keys.
// table: encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight, [buckets, heads].
// mask [tokens]: 1 for tokens, 0 for padding, which no query sees.
std::vector<float> t5_position_bias(const T5Config& config, std::span<const float> table,
                                    std::span<const int32_t> mask);

}  // namespace ebb
