#pragma once

#include <cstdint>

#include "kernels/conv/tap_list.h"
#include "kernels/pointwise/activation.h"

namespace ebb::cpu {

// Epilogue of an output pixel: out = act(sum + bias + residual).
struct ConvEpilogue {
  const float* bias = nullptr;      // [out.c] or null; padded where a kernel says so
  const float* residual = nullptr;  // [residual_n, out.h, out.w, out.c] or null
  int64_t residual_n = 1;           // image n adds residual image n % residual_n
  Activation activation = Activation::kNone;
};

// A forward or backward-input pass on f32 data.
struct ConvPassArgs {
  TapList list;
  const float* in = nullptr;     // [n, in.h, in.w, in.c]
  const void* packed = nullptr;  // weights in the layout and type of the algorithm
  float* out = nullptr;          // [n, out.h, out.w, out.c]
  ConvEpilogue epilogue = {};
  void* workspace = nullptr;
};

}  // namespace ebb::cpu
