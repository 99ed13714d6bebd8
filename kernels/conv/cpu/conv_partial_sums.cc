#include "kernels/conv/cpu/conv_partial_sums.h"

#include <algorithm>

#include "kernels/cpu/parallel.h"

namespace ebb::cpu {
namespace {

constexpr int64_t kBiasRows = 1024;  // pixels of a partial sum

}  // namespace

void add_partials(const float* partial, int64_t count, int64_t pitch, int64_t at, int64_t n,
                  float* sum) {
  std::copy_n(partial + at, n, sum);
  for (int64_t k = 1; k < count; ++k) {
    const float* from = partial + k * pitch + at;
    for (int64_t i = 0; i < n; ++i) sum[i] += from[i];
  }
}

void merge_partials(float* partial, int64_t count, int64_t pitch, int threads) {
  parallel_chunks(threads, pitch, [&](int64_t begin, int64_t end) {
    for (int64_t k = 1; k < count; ++k) {
      const float* from = partial + k * pitch;
      for (int64_t i = begin; i < end; ++i) partial[i] += from[i];
    }
  });
}

int64_t bias_gradient_floats(const TapImage& dy_image, int64_t images) {
  return ceil_div(images * dy_image.h * dy_image.w, kBiasRows) * dy_image.c;
}

void bias_gradient(const TapImage& dy_image, int64_t images, const float* dy, float* partial,
                   float* db, int threads) {
  const int64_t channels = dy_image.c, rows = images * dy_image.h * dy_image.w;
  const int64_t chunks = ceil_div(rows, kBiasRows);
  parallel_for(threads, chunks, [&](int64_t chunk) {
    float* sum = partial + chunk * channels;
    std::fill_n(sum, channels, 0.0f);
    const int64_t end = std::min(rows, (chunk + 1) * kBiasRows);
    for (int64_t row = chunk * kBiasRows; row < end; ++row) {
      const float* from = dy + row * dy_image.pitch;
      for (int64_t o = 0; o < channels; ++o) sum[o] += from[o];
    }
  });
  add_partials(partial, chunks, channels, 0, channels, db);
}

}  // namespace ebb::cpu
