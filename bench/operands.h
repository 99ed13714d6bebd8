#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "engine/context.h"
#include "engine/tensor.h"
#include "testing/random_data.h"
#include "testing/storage.h"

namespace ebb {

// Device memory that lives as long as the closure it is captured in.
class Operands {
 public:
  explicit Operands(Context& context) : context_(context) {}

  void* space(int64_t count, DType dtype = DType::kF32) {
    held_.push_back(Tensor::empty(context_, {std::max<int64_t>(count, 1)}, dtype));
    return held_.back().raw();
  }
  void* bytes(int64_t count) { return space(count, DType::kU8); }
  float* floats(int64_t count) { return static_cast<float*>(space(count)); }

  // `values`, repeated until there are `count`.
  void* upload(std::vector<float> values, int64_t count, DType dtype) {
    if (values.size() == 1) values.assign(static_cast<size_t>(count), values[0]);
    const std::vector<uint16_t> halves =
        dtype == DType::kF32 ? std::vector<uint16_t>() : test::to_storage(values, dtype);
    const void* from = halves.empty() ? static_cast<const void*>(values.data()) : halves.data();
    const int64_t block = static_cast<int64_t>(values.size());
    void* const to = space(count, dtype);
    for (int64_t at = 0; at < count; at += block) {
      context_.stream()->copy_to_device(static_cast<char*>(to) + at * size_of(dtype), from,
                                        std::min(block, count - at) * size_of(dtype));
    }
    return to;
  }

  // Uniform in [low, high): a block of random numbers, repeated.
  void* random(int64_t count, DType dtype = DType::kF32, double low = -1, double high = 1) {
    constexpr int64_t kBlock = (1 << 20) - 3;
    return upload(test::RandomData(++seed_).uniform(std::min(count, kBlock), low, high), count,
                  dtype);
  }
  float* random_floats(int64_t count, double low = -1, double high = 1) {
    return static_cast<float*>(random(count, DType::kF32, low, high));
  }
  int32_t* numbers(const std::vector<int32_t>& values) {
    held_.push_back(Tensor::from_host(context_, {static_cast<int64_t>(values.size())},
                                      std::span<const int32_t>(values)));
    return held_.back().data<int32_t>();
  }
  float* zero_floats(int64_t count) {
    held_.push_back(Tensor::zeros(context_, {count}));
    return held_.back().data<float>();
  }

 private:
  Context& context_;
  std::vector<Tensor> held_;
  uint64_t seed_ = 0;
};

// Elements of an image tensor whose pixels lie `pitch` apart.
inline int64_t extent(int64_t pixels, int64_t c, int64_t pitch) { return (pixels - 1) * pitch + c; }

}  // namespace ebb
