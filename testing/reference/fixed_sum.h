#pragma once

#include <cmath>
#include <cstdint>

#include "kernels/optimizer/fixed_sum.h"

namespace ebb::reference {

// The integer next to a double by integer arithmetic on its 53 bits, ties to even. |v| < 2^63.
inline int64_t nearest_integer(double v) {
  int exponent = 0;
  const double fraction = std::frexp(std::fabs(v), &exponent);
  const auto bits = static_cast<int64_t>(std::ldexp(fraction, 53));
  const int shift = 53 - exponent;
  if (shift > 60) return 0;
  int64_t whole = shift > 0 ? bits >> shift : bits << -shift;
  if (shift > 0) {
    const int64_t rest = bits - (whole << shift), half = int64_t{1} << (shift - 1);
    if (rest > half || (rest == half && whole % 2 == 1)) ++whole;
  }
  return v < 0 ? -whole : whole;
}

// Adds x to a sum as AddFixedArgs tells; returns whether it is lost.
inline bool add_fixed(const FixedShare& share, float x, uint64_t& sum) {
  const double scaled = static_cast<double>(x) * share.scale;
  if (!(std::fabs(scaled) < 0x1p63)) return true;
  const int64_t nearest = nearest_integer(scaled);
  if (!(std::fabs(static_cast<double>(nearest)) < share.limit)) return true;
  sum += static_cast<uint64_t>(nearest);
  return false;
}

}  // namespace ebb::reference
