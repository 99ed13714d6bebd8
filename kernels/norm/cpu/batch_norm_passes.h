#pragma once

#include <cstdint>

#include "kernels/pointwise/activation.h"

namespace ebb::cpu {

// Vector passes of batch norm over consecutive rows of [rows, C]; C channels lie `pitch` elements
// from row to row. Arrays without a shape comment are [C]. Sums are added to what is there.

struct ChannelRows {
  int64_t rows, c, pitch;
};

// z = (x - mean) * scale + shift
struct ChannelAffine {
  const float* mean;
  const float* scale;
  const float* shift;
};

// sum += x
void sum_rows(const ChannelRows& size, const float* x, float* sum);

// sum += x - center; squares += (x - center)^2
void sum_deviations(const ChannelRows& size, const float* x, const float* center, float* sum,
                    float* squares);

// y = act(z); y may be x
void apply_affine(const ChannelRows& size, Activation activation, const ChannelAffine& affine,
                  const float* x, float* y);

// dz = dy * act'(z); dz_sum += dz; product_sum += dz * (x - mean); dz may be dy
void activation_gradients(const ChannelRows& size, Activation activation,
                          const ChannelAffine& affine, const float* x, const float* dy, float* dz,
                          float* dz_sum, float* product_sum);

// dz becomes dx = scale * dz - offset - slope * (x - mean)
void norm_gradients(const ChannelRows& size, const float* mean, const float* scale,
                    const float* offset, const float* grad, const float* x, float* dz);

}  // namespace ebb::cpu
