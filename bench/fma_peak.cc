#include "bench/fma_peak.h"

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "bench/fma_peak.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "kernels/conv/cpu/conv_tile-inl.h"
#include "kernels/cpu/parallel.h"

HWY_BEFORE_NAMESPACE();
namespace ebb::HWY_NAMESPACE {

// Runs the tile `calls` times; returns the floating-point operations of that.
HWY_NOINLINE double run_tile(int64_t calls) {
  constexpr int kChannels = 64, kTaps = 9, kWidth = kTileVectors * kLanes;
  HWY_ALIGN float in[kTileRows * kChannels], w[kChannels * kWidth], out[kTileRows * kWidth];
  for (int i = 0; i < kTileRows * kChannels; ++i) in[i] = 0.001f * static_cast<float>(i % 977);
  for (int i = 0; i < kChannels * kWidth; ++i) w[i] = 0.001f * static_cast<float>(i % 499);
  for (int64_t call = 0; call < calls; ++call) {
    Vector sum[kTileRows][kTileVectors];
    ZeroTile(sum);
    for (int tap = 0; tap < kTaps; ++tap) {
      const float* row[kTileRows];
      EBB_UNROLL for (int i = 0; i < kTileRows; ++i) row[i] = in + i * kChannels;
      TileProduct(row, w, kChannels, sum);
    }
    StoreTile(sum, out, kWidth);
    asm volatile("" : : "r"(out) : "memory");  // the result counts as used
  }
  return 2.0 * kTileRows * kWidth * kChannels * kTaps * static_cast<double>(calls);
}

}  // namespace ebb::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ebb {

HWY_EXPORT(run_tile);

double loaded_fma_peak(int threads) {
  constexpr int kRounds = 400;
  constexpr int64_t kCalls = 2000;
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::vector<double> flops(static_cast<size_t>(threads), 0.0);
    const auto start = std::chrono::steady_clock::now();
    cpu::parallel_for(threads, threads, [&](int64_t thread) {
      flops[static_cast<size_t>(thread)] = HWY_DYNAMIC_DISPATCH(run_tile)(kCalls);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    const double total = std::accumulate(flops.begin(), flops.end(), 0.0);
    best = std::max(best, total / seconds.count() * 1e-9);
  }
  return best;
}

}  // namespace ebb
#endif
