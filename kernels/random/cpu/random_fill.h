#pragma once

#include <cstdint>

#include "kernels/random/random.h"

namespace ebb::cpu {

// Selects the numbers of one image at one step of one stream.
struct RandomSource {
  uint64_t seed;
  RandomStream stream;
  uint64_t image;
  uint32_t step;
};

// y[e - begin] = number e of the source, e = begin..end-1. begin is a multiple of 4.
void fill_normal(const RandomSource& source, int64_t begin, int64_t end, float* y);
void fill_uniform(const RandomSource& source, int64_t begin, int64_t end, float* y);

}  // namespace ebb::cpu
