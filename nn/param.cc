#include "nn/param.h"

#include <algorithm>
#include <array>

#include "kernels/kernel_table.h"

namespace ebb {
namespace {

// Calls visit(engine offset, torch offset) for every element of a 4-D weight.
template <typename Visit>
void for_each_weight(const ParamSpec& spec, Visit visit) {
  const int64_t o = spec.shape[0], kh = spec.shape[1], kw = spec.shape[2], c = spec.shape[3];
  const bool transposed = spec.info.layout == ParamLayout::kConvTranspose;
  for (int64_t i = 0; i < o; ++i) {
    for (int64_t k = 0; k < kh * kw; ++k) {
      for (int64_t j = 0; j < c; ++j) {
        const int64_t outer = transposed ? j * o + i : i * c + j;
        visit((i * kh * kw + k) * c + j, outer * kh * kw + k);
      }
    }
  }
}

template <typename T>
void to_engine(const ParamSpec& spec, std::span<const T> torch, std::span<T> engine) {
  if (spec.info.layout == ParamLayout::kPlain) {
    std::copy(torch.begin(), torch.end(), engine.begin());
  } else {
    for_each_weight(spec, [&](int64_t e, int64_t t) { engine[e] = torch[t]; });
  }
}

}  // namespace

Shape torch_shape(const ParamSpec& spec) {
  const Shape& s = spec.shape;
  switch (spec.info.layout) {
    case ParamLayout::kPlain:
      return s;
    case ParamLayout::kConv:
      return {s[0], s[3], s[1], s[2]};
    case ParamLayout::kConvTranspose:
      return {s[3], s[0], s[1], s[2]};
  }
  return s;
}

void torch_to_engine(const ParamSpec& spec, std::span<const float> torch, std::span<float> engine) {
  to_engine(spec, torch, engine);
}

void torch_to_engine(const ParamSpec& spec, std::span<const uint16_t> torch,
                     std::span<uint16_t> engine) {
  to_engine(spec, torch, engine);
}

void engine_to_torch(const ParamSpec& spec, std::span<const float> engine, std::span<float> torch) {
  if (spec.info.layout == ParamLayout::kPlain) {
    std::copy(engine.begin(), engine.end(), torch.begin());
  } else {
    for_each_weight(spec, [&](int64_t e, int64_t t) { torch[t] = engine[e]; });
  }
}

void initialize(const ParamSpec& spec, uint64_t seed, int64_t index, std::span<float> values) {
  const ParamInit& init = spec.info.init;
  const RandomFillArgs fill{.seed = seed,
                            .stream = RandomStream::kInit,
                            .image0 = static_cast<uint64_t>(index),
                            .step = 0,
                            .n = 1,
                            .elements = static_cast<int64_t>(values.size()),
                            .y = values.data()};
  if (init.deviation > 0) {
    cpu_kernels().random_normal.fn(fill, KernelStream{});
    for (float& value : values) value *= init.deviation;
  } else if (init.bound > 0) {
    cpu_kernels().random_uniform.fn(fill, KernelStream{});
    for (float& value : values) value = init.bound * (2 * value - 1);
  } else {
    std::fill(values.begin(), values.end(), init.constant);
  }
}

}  // namespace ebb
