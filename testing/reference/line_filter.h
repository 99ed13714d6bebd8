#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace ebb::reference {

// A filter along (dy, dx) with the border mirrored about the edge pixel, one step at a time: a step
// off the image turns round and goes the other way. x [n, h, w, c].
inline int64_t mirrored(int64_t start, int64_t steps, int64_t size) {
  int64_t at = start, direction = steps < 0 ? -1 : 1;
  for (int64_t k = 0; k < (steps < 0 ? -steps : steps); ++k) {
    if (at + direction < 0 || at + direction >= size) direction = -direction;
    at += direction;
  }
  return at;
}

template <typename T>
std::vector<double> line_filter(std::span<const T> x, int64_t n, int64_t h, int64_t w, int64_t c,
                                int64_t dy, int64_t dx, std::span<const float> weights) {
  const auto taps = static_cast<int64_t>(weights.size());
  std::vector<double> y(x.size(), 0.0);
  for (int64_t image = 0; image < n; ++image) {
    for (int64_t i = 0; i < h; ++i) {
      for (int64_t j = 0; j < w; ++j) {
        for (int64_t k = 0; k < taps; ++k) {
          const int64_t row = mirrored(i, (k - taps / 2) * dy, h);
          const int64_t column = mirrored(j, (k - taps / 2) * dx, w);
          for (int64_t ch = 0; ch < c; ++ch) {
            y[((image * h + i) * w + j) * c + ch] +=
                static_cast<double>(weights[k]) * x[((image * h + row) * w + column) * c + ch];
          }
        }
      }
    }
  }
  return y;
}

}  // namespace ebb::reference
