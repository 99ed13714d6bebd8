#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "nn/network.h"
#include "testing/golden.h"

namespace ebb::test {

// The small UNets of tests/golden/diffusers_goldens.py.
inline std::vector<std::string> unet_goldens() {
  return {"ddpm",       "example", "consistency",  "consistency_vector",
          "karlo",      "odd",     "learned",      "if_stage_1",
          "if_stage_2", "lists",   "concatenated", "only_text"};
}

struct UnetGolden {
  UnetGolden(Context& on, const std::string& name)
      : context(on),
        golden("diffusers_" + name),
        network(make_network(golden.model_config(), name)),
        specs(list_params(network)) {
    for (const NetworkInput& input : network.inputs) {
      const std::string stored = "input." + input.name;
      inputs[input.name] =
          input.dtype == DType::kI32
              ? Tensor::from_host(context, golden.shape(stored),
                                  std::span<const int32_t>(golden.integers(stored)))
              : golden.activation(context, stored);
    }
    for (const ParamSpec& spec : specs) {
      params[spec.name] = golden.param(context, "param.", spec);
    }
    for (const std::string& stored : golden.names_after("")) {
      const bool other = stored.starts_with("input.") || stored.starts_with("param.") ||
                         stored.starts_with("adam64.") || stored == "target";
      if (!other) modules.push_back(stored);
    }
  }

  int64_t batch() const { return golden.shape("output")[0]; }

  Context& context;
  Golden golden;
  Network network;
  std::vector<ParamSpec> specs;
  TensorMap inputs, params;
  std::vector<std::string> modules;  // whose outputs are stored
};

// The largest difference, of 1 or of the largest expected number where that is more.
inline double largest_difference(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) return NAN;
  const std::vector<float> a = actual.to_host(), e = expected.to_host();
  double difference = 0, size = 1;
  for (size_t i = 0; i < a.size(); ++i) {
    if (!std::isfinite(a[i])) return NAN;
    difference = std::max(difference, std::fabs(double{a[i]} - double{e[i]}));
    size = std::max(size, std::fabs(double{e[i]}));
  }
  return difference / size;
}

}  // namespace ebb::test
