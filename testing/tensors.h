#pragma once

#include <cmath>
#include <span>
#include <string>
#include <vector>

#include "engine/tensor.h"
#include "testing/compare.h"
#include "testing/random_data.h"

namespace ebb::test {

inline Tensor tensor_of(const Context& context, const Shape& shape,
                        const std::vector<float>& values) {
  return Tensor::from_host(context, shape, std::span<const float>(values));
}

inline Tensor normal_tensor(const Context& context, const Shape& shape, RandomData& random) {
  return tensor_of(context, shape, random.normal(shape.elements()));
}

// Images first, first + 1, ... of a batch.
inline Tensor images(const Tensor& batch, int64_t first, int64_t count) {
  Shape shape = batch.shape();
  const int64_t image = shape.elements() / shape[0];
  shape[0] = count;
  return batch.range(first * image, shape);
}

inline std::string compare_bits(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) {
    return "shape " + to_string(actual.shape()) + ", expected " + to_string(expected.shape());
  }
  return compare_bits(actual.to_host(), expected.to_host());
}

inline double nmse(const Tensor& actual, const Tensor& expected) {
  if (actual.shape() != expected.shape()) return NAN;
  return nmse(actual.to_host(), to_double(expected.to_host()));
}

}  // namespace ebb::test
