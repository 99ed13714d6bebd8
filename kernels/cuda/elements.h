#pragma once

// Stored elements (f32, bf16, f16) and the f32 numbers that kernels compute with.

#include <type_traits>

#include "base/dtype.h"
#include "base/error.h"
#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

SIMT_DEVICE float to_float(float v) { return v; }
SIMT_DEVICE float to_float(__nv_bfloat16 v) { return __bfloat162float(v); }
SIMT_DEVICE float to_float(__half v) { return __half2float(v); }

// Rounds to nearest even.
template <class T>
SIMT_DEVICE T from_float(float v) {
  if constexpr (std::is_same_v<T, __nv_bfloat16>) {
    return __float2bfloat16(v);
  } else if constexpr (std::is_same_v<T, __half>) {
    return __float2half(v);
  } else {
    return v;
  }
}

// kWidth neighbors, moved by one instruction.
template <class T, int kWidth>
struct alignas(sizeof(T) * kWidth) Pack {
  T v[kWidth];
};

template <class T>
inline constexpr int kPackWidth = static_cast<int>(16 / sizeof(T));

template <int kWidth, class T>
SIMT_DEVICE Pack<T, kWidth> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, kWidth>*>(p);
}
template <int kWidth, class T>
SIMT_DEVICE void store_pack(T* p, const Pack<T, kWidth>& pack) {
  *reinterpret_cast<Pack<T, kWidth>*>(p) = pack;
}

// Whether whole packs of 16 bytes can be read at each of these pointers.
template <class... P>
bool packs_fit(const P*... pointers) {
  return ((reinterpret_cast<uintptr_t>(pointers) % 16 == 0) && ...);
}

// Calls body with a value of the stored type: for_dtype("op", dtype, [&](auto type) { using T =
// decltype(type); ... }).
template <class Body>
void for_dtype(const char* op, DType dtype, const Body& body) {
  switch (dtype) {
    case DType::kF32:
      return body(float{});
    case DType::kBF16:
      return body(__nv_bfloat16{});
    case DType::kF16:
      return body(__half{});
    default:
      throw ShapeError(
          cat("cuda kernels: ", op, " takes f32, bf16 or f16, got ", to_string(dtype)));
  }
}

}  // namespace ebb::EBB_GPU_NAMESPACE
