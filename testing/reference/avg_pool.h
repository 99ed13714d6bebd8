#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

// kernels/spatial/avg_pool.h on [N, H, W, C] in double.
struct AvgPoolSize {
  int64_t n, h, w, c, kh, kw;

  int64_t x(int64_t ni, int64_t i, int64_t j, int64_t ci) const {
    return ((ni * h + i) * w + j) * c + ci;
  }
  int64_t y(int64_t ni, int64_t i, int64_t j, int64_t ci) const {
    return ((ni * (h / kh) + i) * (w / kw) + j) * c + ci;
  }
  int64_t x_count() const { return n * h * w * c; }
  int64_t y_count() const { return x_count() / (kh * kw); }

  // body(index in x, index in y) for every element of x.
  template <typename Body>
  void for_each_pair(const Body& body) const {
    for (int64_t ni = 0; ni < n; ++ni) {
      for (int64_t i = 0; i < h; ++i) {
        for (int64_t j = 0; j < w; ++j) {
          for (int64_t ci = 0; ci < c; ++ci) body(x(ni, i, j, ci), y(ni, i / kh, j / kw, ci));
        }
      }
    }
  }
};

inline std::vector<double> avg_pool_forward(const AvgPoolSize& size, std::span<const double> x) {
  std::vector<double> y(static_cast<size_t>(size.y_count()));
  const double area = static_cast<double>(size.kh * size.kw);
  size.for_each_pair([&](int64_t xi, int64_t yi) { y[yi] += x[xi] / area; });
  return y;
}

inline std::vector<double> avg_pool_backward(const AvgPoolSize& size, std::span<const double> dy) {
  std::vector<double> dx(static_cast<size_t>(size.x_count()));
  const double area = static_cast<double>(size.kh * size.kw);
  size.for_each_pair([&](int64_t xi, int64_t yi) { dx[xi] = dy[yi] / area; });
  return dx;
}

}  // namespace ebb::reference
