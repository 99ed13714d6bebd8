#pragma once

// Means and sums of squared deviations, and how those of parts are joined.

#include "kernels/norm/row_moments.h"
#include "kernels/simt/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

// Mean and sum of squared deviations of `count` numbers.
struct Moments {
  double count, mean, m2;
};

// Chan, Golub, LeVeque 1979.
SIMT_DEVICE Moments merge(const Moments& a, const Moments& b) {
  if (b.count == 0) return a;
  const double count = a.count + b.count, delta = b.mean - a.mean, weight = b.count / count;
  return {count, a.mean + weight * delta, a.m2 + b.m2 + delta * delta * a.count * weight};
}

SIMT_DEVICE Moments widen(const RowMoments& m) {
  return {m.count, static_cast<double>(m.mean) + m.rest, m.m2};
}
SIMT_DEVICE RowMoments narrow(const Moments& m) {
  const float mean = static_cast<float>(m.mean);
  return {static_cast<float>(m.count), mean, static_cast<float>(m.mean - mean),
          static_cast<float>(m.m2)};
}

}  // namespace ebb::EBB_GPU_NAMESPACE
