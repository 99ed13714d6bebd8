#pragma once

#include "base/dtype.h"
#include "base/error.h"

namespace ebb::cpu {

// CPU kernels store f32 only; half precision is a matter of files and of the GPU.
inline void require_f32(const char* op, DType dtype) {
  EBB_CHECK(dtype == DType::kF32, ShapeError, "cpu kernels: ", op, " takes f32, got ",
            to_string(dtype));
}

inline const float* as_f32(const void* data) { return static_cast<const float*>(data); }
inline float* as_f32(void* data) { return static_cast<float*>(data); }

}  // namespace ebb::cpu
