#include "kernels/pointwise/convert.h"

#include "base/error.h"
#include "base/kernel_stream.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

float read(const void* x, DType dtype, int64_t i) {
  if (dtype == DType::kF32) return static_cast<const float*>(x)[i];
  const uint16_t half = static_cast<const uint16_t*>(x)[i];
  return dtype == DType::kBF16 ? bf16_to_f32(half) : f16_to_f32(half);
}

void write(void* y, DType dtype, int64_t i, float value) {
  if (dtype == DType::kF32) {
    static_cast<float*>(y)[i] = value;
  } else {
    static_cast<uint16_t*>(y)[i] = dtype == DType::kBF16 ? f32_to_bf16(value) : f32_to_f16(value);
  }
}

void require_float(DType dtype) {
  EBB_CHECK(dtype == DType::kF32 || dtype == DType::kBF16 || dtype == DType::kF16, ShapeError,
            "cpu kernels: convert takes f32, bf16 or f16, got ", to_string(dtype));
}

}  // namespace

void convert(const ConvertArgs& args, KernelStream stream) {
  require_float(args.from);
  require_float(args.to);
  parallel_chunks(stream.threads, args.count, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) write(args.y, args.to, i, read(args.x, args.from, i));
  });
}

}  // namespace ebb::cpu
