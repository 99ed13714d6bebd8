#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace ebb {

// Look-up: y[i, :] = table[ids[i], :]. An id outside 0..entries-1 gives a row of NaN, which no
// later step can hide.
struct EmbeddingArgs {
  int64_t count, entries, c;
  DType dtype;         // of table and y
  const int32_t* ids;  // [count]
  const void* table;   // [entries, C]
  void* y;             // [count, C]
};

// Its gradient: dtable[e, :] = sum of dy[i, :] over all i with ids[i] = e, in the order of i; 0 for
// rows that no id selects. Ids outside 0..entries-1 contribute nothing.
struct EmbeddingBackwardArgs {
  int64_t count, entries, c;
  DType dtype;         // of dy
  const int32_t* ids;  // [count]
  const void* dy;      // [count, C]
  float* dtable;       // [entries, C], overwritten
};

// Sinusoidal embedding of timesteps (Vaswani et al. 2017, as in Ho et al. 2020), half = C / 2:
//   f_i = max_period^(-i / (half - shift)),  y[n, i] = cos(t f_i), y[n, half + i] = sin(t f_i)
// sin_first swaps the halves; an odd C ends with 0. Angles are computed in double: f32 would lose
// four digits at t = 1000.
struct TimestepEmbeddingArgs {
  int64_t n, c;
  double max_period;  // 10000
  double shift;       // 0 (DeepFloyd IF, OpenAI), 1 (the original DDPM)
  bool sin_first;
  const float* t;  // [N]
  float* y;        // [N, C]
};

}  // namespace ebb
