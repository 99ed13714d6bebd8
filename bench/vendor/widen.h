#pragma once

#include <cstdint>

#include "base/dtype.h"
#include "base/kernel_stream.h"

namespace ebb {

// f32 of `count` bf16 or f16 numbers, on the GPU.
void widen(DType dtype, const void* from, int64_t count, float* to, KernelStream stream);

}  // namespace ebb
