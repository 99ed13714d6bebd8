#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

// Workspace of sum_chunks().
constexpr int64_t sum_chunks_bytes(int64_t count) {
  return ceil_div(count, kElementChunk) * static_cast<int64_t>(sizeof(double));
}

// Sum of term(i) over i = 0..count-1 in double. Each chunk runs kLanes interleaved sums (so that
// the compiler can use vectors) and the chunks are added in order: the order depends on count
// alone.
template <typename Term>
double sum_chunks(int threads, int64_t count, void* workspace, const Term& term) {
  constexpr int kLanes = 8;
  double* partial = static_cast<double*>(workspace);  // [chunks]
  parallel_chunks(threads, count, [&](int64_t begin, int64_t end) {
    double lanes[kLanes] = {};
    int64_t i = begin;
    for (; i + kLanes <= end; i += kLanes) {
      for (int lane = 0; lane < kLanes; ++lane) lanes[lane] += term(i + lane);
    }
    for (; i < end; ++i) lanes[0] += term(i);
    double sum = 0;
    for (double lane : lanes) sum += lane;
    partial[begin / kElementChunk] = sum;
  });
  double total = 0;
  for (int64_t chunk = 0; chunk < ceil_div(count, kElementChunk); ++chunk) total += partial[chunk];
  return total;
}

}  // namespace ebb::cpu
