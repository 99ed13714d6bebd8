#include "engine/tensor.h"

#include <algorithm>

namespace ebb {
namespace {

template <typename T>
Tensor copy_to_device(const Context& context, const Shape& shape, DType dtype,
                      std::span<const T> values) {
  Tensor tensor = Tensor::empty(context, shape, dtype);
  EBB_CHECK(tensor.elements() == static_cast<int64_t>(values.size()), ShapeError, "tensor ", shape,
            ": ", values.size(), " values given, expected ", tensor.elements());
  context.stream()->copy_to_device(tensor.raw(), values.data(), tensor.bytes());
  return tensor;
}

}  // namespace

Tensor Tensor::empty(const Context& context, const Shape& shape, DType dtype) {
  Tensor tensor;
  tensor.shape_ = shape;
  tensor.dtype_ = dtype;
  tensor.pitch_ = shape.rank() == 0 ? 1 : shape.back();
  const int64_t bytes = tensor.bytes();
  tensor.stream_ = context.stream();
  const std::shared_ptr<Allocator>& allocator = context.allocator();
  tensor.data_ = allocator->allocate(bytes);
  tensor.storage_ = std::shared_ptr<void>(
      tensor.data_, [allocator, bytes](void* data) { allocator->release(data, bytes); });
  return tensor;
}

Tensor Tensor::zeros(const Context& context, const Shape& shape, DType dtype) {
  Tensor tensor = empty(context, shape, dtype);
  tensor.fill_zero();
  return tensor;
}

Tensor Tensor::from_host(const Context& context, const Shape& shape,
                         std::span<const float> values) {
  return copy_to_device(context, shape, DType::kF32, values);
}

Tensor Tensor::from_host(const Context& context, const Shape& shape,
                         std::span<const int32_t> values) {
  return copy_to_device(context, shape, DType::kI32, values);
}

Tensor Tensor::from_host(const Context& context, const Shape& shape,
                         std::span<const uint8_t> values) {
  return copy_to_device(context, shape, DType::kU8, values);
}

Tensor Tensor::from_host(const Context& context, const Shape& shape, DType dtype,
                         std::span<const std::byte> elements) {
  Tensor tensor = empty(context, shape, dtype);
  EBB_CHECK(tensor.bytes() == static_cast<int64_t>(elements.size()), ShapeError, "tensor ", shape,
            " ", to_string(dtype), ": ", elements.size(), " bytes given, expected ",
            tensor.bytes());
  context.stream()->copy_to_device(tensor.raw(), elements.data(), tensor.bytes());
  return tensor;
}

void Tensor::check_type(DType requested) const {
  EBB_CHECK(dtype_ == requested, ShapeError, "tensor ", shape_, ": stored as ", to_string(dtype_),
            ", read as ", to_string(requested));
}

Tensor Tensor::reshape(const Shape& shape) const {
  EBB_CHECK(dense() && shape.elements() == elements(), ShapeError, "reshape: ", shape_, " to ",
            shape, dense() ? "" : " (rows are not adjacent)");
  return range(0, shape);
}

Tensor Tensor::range(int64_t offset, const Shape& shape) const {
  EBB_CHECK(dense() && offset >= 0 && offset + shape.elements() <= elements(), ShapeError,
            "range: elements ", offset, "..", offset + shape.elements(), " of ", shape_);
  return view(offset * size_of(dtype_), shape, dtype_);
}

Tensor Tensor::view(int64_t offset, const Shape& shape, DType dtype) const {
  const int64_t end = offset + shape.elements() * size_of(dtype);
  EBB_CHECK(dense() && offset >= 0 && end <= bytes(), ShapeError, "view: bytes ", offset, "..", end,
            " of ", bytes());
  Tensor view = *this;
  view.data_ = static_cast<char*>(data_) + offset;
  view.shape_ = shape;
  view.dtype_ = dtype;
  view.pitch_ = shape.rank() == 0 ? 1 : shape.back();
  return view;
}

Tensor Tensor::channels(int64_t first, int64_t count) const {
  EBB_CHECK(shape_.rank() > 0 && first >= 0 && count >= 0 && first + count <= shape_.back(),
            ShapeError, "channels: ", first, "..", first + count, " of ", shape_);
  Tensor view = *this;
  view.data_ = static_cast<char*>(data_) + first * size_of(dtype_);
  view.shape_[shape_.rank() - 1] = count;
  return view;
}

std::vector<float> Tensor::to_host() const {
  EBB_CHECK(defined(), Error, "tensor: used before it was given a value");
  EBB_CHECK(dtype_ == DType::kF32 || dtype_ == DType::kF16 || dtype_ == DType::kBF16, ShapeError,
            "tensor ", shape_, ": stored as ", to_string(dtype_), ", read as f32");
  const int64_t width = shape_.rank() == 0 ? 1 : shape_.back();
  const int64_t rows = width == 0 ? 0 : elements() / width, element = size_of(dtype_);
  std::vector<float> values(static_cast<size_t>(elements()));
  if (dtype_ == DType::kF32) {
    stream_->copy_to_host(values.data(), data_, rows, width * element, pitch_ * element);
    return values;
  }
  std::vector<uint16_t> bits(values.size());
  stream_->copy_to_host(bits.data(), data_, rows, width * element, pitch_ * element);
  std::transform(bits.begin(), bits.end(), values.begin(),
                 dtype_ == DType::kF16 ? f16_to_f32 : bf16_to_f32);
  return values;
}

void Tensor::copy_from_host(std::span<const float> values) const {
  EBB_CHECK(dense() && elements() == static_cast<int64_t>(values.size()), ShapeError, "tensor ",
            shape_, ": ", values.size(), " values given, expected ", elements(),
            dense() ? "" : " (rows are not adjacent)");
  stream_->copy_to_device(data<float>(), values.data(), bytes());
}

void Tensor::copy_from(const Tensor& other) const {
  EBB_CHECK(dense() && other.dense() && shape_ == other.shape_ && dtype_ == other.dtype_,
            ShapeError, "copy: ", other.shape_, " ", to_string(other.dtype_), " into ", shape_, " ",
            to_string(dtype_));
  stream_->copy(data_, other.data_, bytes());
}

void Tensor::fill_zero() const {
  EBB_CHECK(dense(), ShapeError, "fill: rows of ", shape_, " are not adjacent");
  stream_->fill_zero(data_, bytes());
}

float Tensor::item() const {
  EBB_CHECK(elements() == 1, ShapeError, "item: tensor ", shape_, " has ", elements(),
            " elements, expected 1");
  return to_host()[0];
}

}  // namespace ebb
