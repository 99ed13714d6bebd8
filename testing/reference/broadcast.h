#pragma once

#include <cmath>
#include <cstdint>
#include <span>
#include <vector>

#include "kernels/pointwise/broadcast.h"

namespace ebb::reference {

// kernels/pointwise/broadcast.h in double.
struct BroadcastSize {
  BroadcastOp op;
  int64_t n, pixels, c, x_n, s_n;
};

inline std::vector<double> broadcast_forward(const BroadcastSize& size, std::span<const double> x,
                                             std::span<const double> s) {
  std::vector<double> y;
  for (int64_t n = 0; n < size.n; ++n) {
    for (int64_t p = 0; p < size.pixels; ++p) {
      for (int64_t c = 0; c < size.c; ++c) {
        const double a = x[((n % size.x_n) * size.pixels + p) * size.c + c];
        const double b = s[(n % size.s_n) * size.c + c];
        y.push_back(size.op == BroadcastOp::kAdd ? a + b : a * b);
      }
    }
  }
  return y;
}

struct BroadcastGradients {
  std::vector<double> dx;            // [N, pixels, C]
  std::vector<double> ds;            // [N, C]
  std::vector<double> ds_magnitude;  // [N, C], sums of absolute terms
};

// For x_n == s_n == n.
inline BroadcastGradients broadcast_backward(const BroadcastSize& size, std::span<const double> x,
                                             std::span<const double> s,
                                             std::span<const double> dy) {
  BroadcastGradients g;
  g.ds.resize(static_cast<size_t>(size.n * size.c));
  g.ds_magnitude.resize(g.ds.size());
  for (int64_t n = 0; n < size.n; ++n) {
    for (int64_t p = 0; p < size.pixels; ++p) {
      for (int64_t c = 0; c < size.c; ++c) {
        const int64_t i = (n * size.pixels + p) * size.c + c, si = n * size.c + c;
        const bool add = size.op == BroadcastOp::kAdd;
        g.dx.push_back(add ? dy[i] : dy[i] * s[si]);
        const double term = add ? dy[i] : dy[i] * x[i];
        g.ds[si] += term;
        g.ds_magnitude[si] += std::fabs(term);
      }
    }
  }
  return g;
}

}  // namespace ebb::reference
