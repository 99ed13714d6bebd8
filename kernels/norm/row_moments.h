#pragma once

namespace ebb {

// What a producer knows of one channel over some rows that it wrote: how many, their mean, and the
// sum of squared deviations from it. f32 cannot hold the mean of numbers that lie close together
// far from zero; the rest is what it leaves out. Without rows all is zero. Moved by one
// instruction.
struct alignas(16) RowMoments {
  float count, mean, rest, m2;
};

}  // namespace ebb
