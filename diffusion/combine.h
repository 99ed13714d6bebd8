#pragma once

#include <span>

#include "engine/tensor.h"

namespace ebb {

// A sum of images, each with its coefficient: every update of a sampler, and guidance. The
// coefficients live on the device, so that a loop over steps copies nothing.
//   y = sum over k of coefficients[k] * x[k].   1 to 4 terms of equal shape; y may be any of them.
void combine(Context& context, std::span<const Tensor> x, const Tensor& coefficients,
             const Tensor& y);

// Doubles as a device tensor [values.size()] of f32.
Tensor coefficients(Context& context, std::span<const double> values);

}  // namespace ebb
