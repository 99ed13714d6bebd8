#pragma once

namespace ebb {

// Moments of one channel over the rows that a producer wrote: how many, their mean, and the sum of
// squared deviations from it. f32 cannot represent the mean of close values far from zero exactly;
// `rest` is the remainder. All zero without rows. Aligned to load and store in one instruction.
struct alignas(16) RowMoments {
  float count, mean, rest, m2;
};

}  // namespace ebb
