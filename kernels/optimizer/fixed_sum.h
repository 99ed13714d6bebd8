#pragma once

#include <cstdint>

namespace ebb {

// Sums of gradients in fixed point: 64-bit integers in two's complement, multiples of 2^-48
// (Hallberg & Adcroft 2014). Integers have no order of addition, so the parts of a step add to the
// same bits in any order and grouping, on any number of processes.

// Written by the host before each part of a step: fixed_share().
struct FixedShare {
  double scale;  // images of the part / images of the step * 2^48
  double limit;  // 2^63 / parts of the step: sums of smaller shares fit
};

// sum[i] += the integer next to x[i] * scale, the even one of two; x * scale rounded to double
// before. An integer whose magnitude is not below the limit, and what is not finite, adds 0 and
// counts one in *lost. Sums wrap: only the sum of all parts has to fit.
struct AddFixedArgs {
  int64_t count;
  const FixedShare* share;  // [1]
  const float* x;           // [count]
  uint64_t* sum;            // [count]
  uint64_t* lost;           // [1]
};

// x[i] = sum[i] * 2^-48, rounded once.
struct FromFixedArgs {
  int64_t count;
  const uint64_t* sum;  // [count]
  float* x;             // [count]
};

}  // namespace ebb
