#pragma once

#include <string>
#include <vector>

#include "engine/tensor.h"

namespace ebb {

// PyTorch's layout of a parameter; the engine always has output channels first and input channels
// last.
enum class ParamLayout {
  kPlain,          // same in both
  kConv,           // PyTorch [O, C, KH, KW]
  kConvTranspose,  // PyTorch [C, O, KH, KW]
};

// Initial values: a constant, uniform in [-bound, bound), or normal.
struct ParamInit {
  float constant = 0;
  float bound = 0;
  float deviation = 0;
};

struct ParamInfo {
  ParamLayout layout = ParamLayout::kPlain;
  ParamInit init = {};
  bool trainable = true;  // false for running statistics
};

struct ParamSpec {
  std::string name;
  Shape shape;  // in the engine's layout
  ParamInfo info;
};

// The shape PyTorch gives the parameter.
Shape torch_shape(const ParamSpec& spec);

// Reorders the elements of one parameter; both spans hold spec.shape.elements() values.
void torch_to_engine(const ParamSpec& spec, std::span<const float> torch, std::span<float> engine);
void torch_to_engine(const ParamSpec& spec, std::span<const uint16_t> torch,
                     std::span<uint16_t> engine);  // f16 or bf16
void engine_to_torch(const ParamSpec& spec, std::span<const float> engine, std::span<float> torch);

// Fills a parameter with its initial values; `index` is its position in the network's list.
void initialize(const ParamSpec& spec, uint64_t seed, int64_t index, std::span<float> values);

}  // namespace ebb
