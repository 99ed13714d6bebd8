#include "weights/weight_source.h"

#include <algorithm>
#include <cstring>

#include "base/error.h"
#include "base/text.h"

namespace ebb {
namespace {

bool is_float(DType dtype) {
  return dtype == DType::kF32 || dtype == DType::kF16 || dtype == DType::kBF16;
}

float element(DType dtype, const std::byte* from) {
  if (dtype == DType::kF32) {
    float value = 0;
    std::memcpy(&value, from, sizeof value);
    return value;
  }
  uint16_t bits = 0;
  std::memcpy(&bits, from, sizeof bits);
  return dtype == DType::kF16 ? f16_to_f32(bits) : bf16_to_f32(bits);
}

void store(DType dtype, float value, std::byte* to) {
  if (dtype == DType::kF32) {
    std::memcpy(to, &value, sizeof value);
    return;
  }
  const uint16_t bits = dtype == DType::kF16 ? f32_to_f16(value) : f32_to_bf16(value);
  std::memcpy(to, &bits, sizeof bits);
}

void convert(DType from, const std::byte* x, uint64_t count, DType to, std::byte* y) {
  const auto x_size = static_cast<uint64_t>(size_of(from));
  const auto y_size = static_cast<uint64_t>(size_of(to));
  for (uint64_t i = 0; i < count; ++i) store(to, element(from, x + i * x_size), y + i * y_size);
}

}  // namespace

const TensorInfo& WeightSource::tensor(std::string_view name) const {
  const auto& all = tensors();
  const auto found = std::find_if(all.begin(), all.end(),
                                  [&](const TensorInfo& info) { return info.name == name; });
  EBB_CHECK(found != all.end(), Error, label(), ": no tensor ", quoted(name));
  return *found;
}

NonFinite WeightSource::read(std::string_view name, DType dtype, std::span<std::byte> dst) {
  const TensorInfo& info = tensor(name);
  const std::optional<DType> stored = to_engine_dtype(info.dtype);
  EBB_CHECK(stored.has_value(), FormatError, label(), ": tensor ", quoted(name), " is ",
            to_string(info.dtype),
            ", ebb loads F32, BF16, F16, U8, I32 and I64. Convert it to one of these.");
  EBB_CHECK(*stored == dtype || (is_float(*stored) && is_float(dtype)), FormatError, label(),
            ": tensor ", quoted(name), " is ", to_string(info.dtype), ", expected ",
            to_string(to_st_dtype(dtype)), " or a type that converts to it.");
  uint64_t elements = 1;
  for (const uint64_t dim : info.shape) elements *= dim;
  const auto from_size = static_cast<uint64_t>(size_of(*stored));
  const auto to_size = static_cast<uint64_t>(size_of(dtype));
  EBB_CHECK(dst.size() == elements * to_size, Error, label(), ": tensor ", quoted(name), " takes ",
            elements * to_size, " bytes, got ", dst.size());

  std::byte* to = dst.data();
  return stream(name, [&](std::span<const std::byte> piece) {
    const uint64_t count = piece.size() / from_size;
    if (*stored == dtype) {
      std::memcpy(to, piece.data(), piece.size());
    } else {
      convert(*stored, piece.data(), count, dtype, to);
    }
    to += count * to_size;
  });
}

}  // namespace ebb
