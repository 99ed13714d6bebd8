#pragma once

#include <cmath>
#include <cstdint>
#include <vector>

#include "kernels/conv/conv.h"

// Convolution in double precision, written from the definition in kernels/conv/conv.h.
namespace ebb::reference {

// A sum of products with the sum of their magnitudes, which bounds the error of computing it.
struct Sum {
  double value = 0, magnitude = 0;

  void add(double term) {
    value += term;
    magnitude += std::abs(term);
  }
};

// Calls meet(x pixel, y pixel, kernel position) for every pair of pixels that a weight joins.
// Pixels count over all images.
template <typename Meet>
void for_each_meeting(const ConvGeometry& g, const Meet& meet) {
  const int64_t base_h = g.transposed ? g.h : g.ho, base_w = g.transposed ? g.w : g.wo;
  const int64_t slid_h = g.transposed ? g.ho : g.h, slid_w = g.transposed ? g.wo : g.w;
  for (int64_t n = 0; n < g.n; ++n) {
    for (int64_t by = 0; by < base_h; ++by) {
      for (int64_t bx = 0; bx < base_w; ++bx) {
        for (int64_t k = 0; k < g.kh * g.kw; ++k) {
          const int64_t sy = by * g.stride - g.pad + k / g.kw;
          const int64_t sx = bx * g.stride - g.pad + k % g.kw;
          if (sy < 0 || sy >= slid_h || sx < 0 || sx >= slid_w) continue;
          const int64_t base = (n * base_h + by) * base_w + bx;
          const int64_t slid = (n * slid_h + sy) * slid_w + sx;
          meet(g.transposed ? base : slid, g.transposed ? slid : base, k);
        }
      }
    }
  }
}

// conv(x, w) -> [N, Ho, Wo, O]. x has pitch x_pitch.
inline std::vector<Sum> conv_forward(const ConvGeometry& g, const float* x, const float* w) {
  std::vector<Sum> y(g.n * g.ho * g.wo * g.o);
  for_each_meeting(g, [&](int64_t px, int64_t py, int64_t k) {
    for (int64_t o = 0; o < g.o; ++o) {
      const float* weight = w + (o * g.kh * g.kw + k) * g.c;
      for (int64_t c = 0; c < g.c; ++c) {
        y[py * g.o + o].add(static_cast<double>(x[px * g.x_pitch + c]) * weight[c]);
      }
    }
  });
  return y;
}

// -> dx [N, H, W, C]. dy has pitch y_pitch.
inline std::vector<Sum> conv_backward_input(const ConvGeometry& g, const float* dy,
                                            const float* w) {
  std::vector<Sum> dx(g.n * g.h * g.w * g.c);
  for_each_meeting(g, [&](int64_t px, int64_t py, int64_t k) {
    for (int64_t o = 0; o < g.o; ++o) {
      const float* weight = w + (o * g.kh * g.kw + k) * g.c;
      for (int64_t c = 0; c < g.c; ++c) {
        dx[px * g.c + c].add(static_cast<double>(dy[py * g.y_pitch + o]) * weight[c]);
      }
    }
  });
  return dx;
}

// -> dw [O, KH, KW, C]
inline std::vector<Sum> conv_backward_weight(const ConvGeometry& g, const float* x,
                                             const float* dy) {
  std::vector<Sum> dw(g.o * g.kh * g.kw * g.c);
  for_each_meeting(g, [&](int64_t px, int64_t py, int64_t k) {
    for (int64_t o = 0; o < g.o; ++o) {
      for (int64_t c = 0; c < g.c; ++c) {
        dw[(o * g.kh * g.kw + k) * g.c + c].add(static_cast<double>(x[px * g.x_pitch + c]) *
                                                dy[py * g.y_pitch + o]);
      }
    }
  });
  return dw;
}

// -> db [O]
inline std::vector<Sum> conv_backward_bias(const ConvGeometry& g, const float* dy) {
  std::vector<Sum> db(g.o);
  for (int64_t p = 0; p < g.n * g.ho * g.wo; ++p) {
    for (int64_t o = 0; o < g.o; ++o) db[o].add(dy[p * g.y_pitch + o]);
  }
  return db;
}

inline double activate(Activation activation, double x) {
  switch (activation) {
    case Activation::kNone:
    case Activation::kMish:
    case Activation::kRelu:  // not fusable
      return x;
    case Activation::kGelu:
      return 0.5 * x * std::erfc(-x / std::sqrt(2.0));
    case Activation::kSilu:
      return x / (1 + std::exp(-x));
    case Activation::kGeluTanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(2 / std::acos(-1.0)) * (x + 0.044715 * x * x * x)));
  }
  return x;
}

}  // namespace ebb::reference
