#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

enum class BroadcastOp { kAdd, kMultiply };

// Combines an image with one vector per image, broadcast over the pixels:
//   y[n, p, c] = x[n % x_n, p, c] (+ or *) s[n % s_n, c],   p = 0..pixels-1.
// x_n and s_n divide n. y may be x when x_n == n. With pixels == 1 both operands are images (or
// rows) of c numbers: a residual connection, y[n] = x[n % x_n] + s[n % s_n], of H * W * C numbers
// each.
struct BroadcastForwardArgs {
  BroadcastOp op;
  int64_t n, pixels, c;
  int64_t x_n, s_n;
  DType dtype;
  const void* x;  // [x_n, pixels, C]
  const void* s;  // [s_n, C]
  void* y;        // [N, pixels, C]
};

// Gradients for x_n == s_n == n. kAdd: dx = dy, ds = sum over pixels of dy.
// kMultiply: dx = dy * s, ds = sum over pixels of dy * x. dx may be dy; dx or ds may be null.
struct BroadcastBackwardArgs {
  BroadcastOp op;
  int64_t n, pixels, c;
  DType dtype;
  const void* x;   // [N, pixels, C]
  const void* s;   // [N, C]
  const void* dy;  // [N, pixels, C]
  void* dx;        // [N, pixels, C] or null
  void* ds;        // [N, C] or null
};

}  // namespace ebb
