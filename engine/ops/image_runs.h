#pragma once

#include <initializer_list>
#include <numeric>

#include "engine/tensor.h"

namespace ebb::ops {

// Operands of different batches for kernels that take one batch. Calls body(n, count) for
// consecutive images n, ..., n + count - 1 of `batch`, such that those of every operand, which are
// read modulo its batch, lie one after another. One call when all batches are equal.
template <typename Body>
void for_each_run(int64_t batch, std::initializer_list<const Tensor*> operands, const Body& body) {
  int64_t count = batch;
  for (const Tensor* operand : operands) {
    if (operand != nullptr) count = std::gcd(count, operand->shape()[0]);
  }
  for (int64_t n = 0; n < batch; n += count) body(n, count);
}

// Image n modulo the batch of a dense tensor.
inline char* image_of(const Tensor& tensor, int64_t n) {
  const int64_t images = tensor.shape()[0];
  return static_cast<char*>(tensor.raw()) + n % images * (tensor.bytes() / images);
}

}  // namespace ebb::ops
