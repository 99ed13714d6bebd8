#pragma once

#include <map>
#include <string>
#include <vector>

#include "base/json.h"
#include "nn/t5_encoder.h"
#include "testing/golden.h"

namespace ebb::test {

// A small encoder of tests/golden/t5_goldens.py: "gated" or "relu".
struct T5Golden {
  T5Golden(Context& on, const std::string& name)
      : context(on),
        golden("t5_" + name),
        config(t5_config(Json::parse(golden.model_config()), name)),
        tokens(golden.shape("input.input_ids")[1]),
        network(t5_encoder_network(config, tokens)),
        specs(list_params(network)) {
    const Shape ids = golden.shape("input.input_ids");
    inputs["input_ids"] = Tensor::from_host(
        context, ids, std::span<const int32_t>(golden.integers("input.input_ids")));
    inputs["position_bias"] = position_bias(ids[0]);
    for (const ParamSpec& spec : specs) {
      params[spec.name] = golden.param(context, "param.", spec);
    }
  }

  Tensor position_bias(int64_t batch) const {
    const std::vector<float> table =
        golden.values("param.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight");
    const std::vector<int32_t> masks = golden.integers("input.attention_mask");
    std::vector<float> all;
    for (int64_t n = 0; n < batch; ++n) {
      const std::span mask(masks.data() + n * tokens, static_cast<size_t>(tokens));
      const std::vector<float> bias = t5_position_bias(config, table, mask);
      all.insert(all.end(), bias.begin(), bias.end());
    }
    return tensor_of(context, {batch, config.heads, tokens, tokens}, all);
  }

  int64_t batch() const { return golden.shape("output")[0]; }

  Context& context;
  Golden golden;
  T5Config config;
  int64_t tokens;
  Network network;
  std::vector<ParamSpec> specs;
  TensorMap inputs, params;
};

}  // namespace ebb::test
