#pragma once

#include <span>

#include "engine/tensor.h"

namespace ebb {

// A sum of images, each with its coefficient: every update of a sampler, and guidance. The
// coefficients live on the device, so that a loop over steps copies nothing.
//   y = sum over k of coefficients[k] * x[k].   Any number of terms of equal shape; y may be one of
// the first four.
void combine(Context& context, std::span<const Tensor> x, const Tensor& coefficients,
             const Tensor& y);

// Doubles as a device tensor [values.size()] of f32.
Tensor coefficients(Context& context, std::span<const double> values);

// Images [first, first + count) of `all` [images, ...]; the only image `count` times when `all`
// holds one.
Tensor select_images(Context& context, const Tensor& all, int64_t first, int64_t count);

}  // namespace ebb
