#pragma once

#include <cstddef>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/dtype.h"
#include "base/shape.h"
#include "engine/context.h"

namespace ebb {

// A shared handle to a block of device memory with a shape and a dtype. Copies share the memory.
// Elements are contiguous except that rows (the last axis) may lie `pitch` elements apart: a tensor
// that was written in place into a channel range of a concatenation.
class Tensor {
 public:
  Tensor() = default;

  static Tensor empty(const Context& context, const Shape& shape, DType dtype = DType::kF32);
  static Tensor zeros(const Context& context, const Shape& shape, DType dtype = DType::kF32);
  static Tensor from_host(const Context& context, const Shape& shape,
                          std::span<const float> values);
  static Tensor from_host(const Context& context, const Shape& shape,
                          std::span<const int32_t> values);
  static Tensor from_host(const Context& context, const Shape& shape,
                          std::span<const uint8_t> values);
  // Elements of any type as they lie in memory.
  static Tensor from_host(const Context& context, const Shape& shape, DType dtype,
                          std::span<const std::byte> elements);

  bool defined() const { return storage_ != nullptr; }
  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  int64_t elements() const { return shape_.elements(); }
  int64_t bytes() const { return elements() * size_of(dtype_); }
  int64_t pitch() const { return pitch_; }  // elements from row to row
  bool dense() const { return shape_.rank() == 0 || pitch_ == shape_.back(); }

  void* raw() const { return data_; }
  // ShapeError when T is not the stored type.
  template <typename T>
  T* data() const {
    check_type(type_of<T>());
    return static_cast<T*>(data_);
  }

  // The same elements under another shape; dense tensors only.
  Tensor reshape(const Shape& shape) const;
  // `shape.elements()` consecutive elements from `offset` of a dense tensor.
  Tensor range(int64_t offset, const Shape& shape) const;
  // A tensor of another type in the bytes of this one, from `offset` on; dense tensors only.
  Tensor view(int64_t offset, const Shape& shape, DType dtype) const;
  // Channels [first, first + count) of the last axis, sharing memory.
  Tensor channels(int64_t first, int64_t count) const;

  // Copies to host memory in logical order; f16 and bf16 are widened.
  std::vector<float> to_host() const;
  void copy_from_host(std::span<const float> values) const;
  void copy_from(const Tensor& other) const;  // same device, shape and dtype; both dense
  void fill_zero() const;
  float item() const;  // the only element

 private:
  template <typename T>
  static constexpr DType type_of();
  void check_type(DType requested) const;

  std::shared_ptr<void> storage_;
  std::shared_ptr<Stream> stream_;  // of the device that holds the memory
  void* data_ = nullptr;
  Shape shape_;
  DType dtype_ = DType::kF32;
  int64_t pitch_ = 0;
};

template <>
constexpr DType Tensor::type_of<float>() {
  return DType::kF32;
}
template <>
constexpr DType Tensor::type_of<uint8_t>() {
  return DType::kU8;
}
template <>
constexpr DType Tensor::type_of<int32_t>() {
  return DType::kI32;
}

using TensorMap = std::map<std::string, Tensor>;

}  // namespace ebb
