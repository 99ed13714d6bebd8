#pragma once

#include <cstdint>

#include "kernels/conv/tap_list.h"

// Sums that the weight gradient kernels end with. Their order is fixed by sizes.
namespace ebb::cpu {

// sum[i] = partial[0][at + i] + partial[1][at + i] + ..., partials `pitch` floats apart.
void add_partials(const float* partial, int64_t count, int64_t pitch, int64_t at, int64_t n,
                  float* sum);

// The same for all `pitch` floats, in place: partial[0] += partial[1] + ...
void merge_partials(float* partial, int64_t count, int64_t pitch, int threads);

// db[o] = sum of dy over all pixels, for the kernels that do not get it on the way.
int64_t bias_gradient_floats(const TapImage& dy_image, int64_t images);  // of partial
void bias_gradient(const TapImage& dy_image, int64_t images, const float* dy, float* partial,
                   float* db, int threads);

}  // namespace ebb::cpu
