#include "bench/device_rates.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <fstream>
#include <limits>
#include <vector>

#include "bench/cuda_facts.h"
#include "bench/fma_peak.h"
#include "engine/tensor.h"
#include "kernels/cpu/parallel.h"

namespace ebb {
namespace {

constexpr double kUnknown = std::numeric_limits<double>::quiet_NaN();

// The most memory that the process ever held counts from here on: what a measurement took is not
// the measured program's.
void forget_peak_memory() { std::ofstream("/proc/self/clear_refs") << 5; }

// GB/s of copying blocks far larger than any cache, one per thread; the best of several runs.
double host_copy_rate(int threads) {
  constexpr size_t kBytes = size_t{64} << 20;
  constexpr int kRounds = 5;
  std::vector<char> from(kBytes * static_cast<size_t>(threads), 1), to(from.size());
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const auto start = std::chrono::steady_clock::now();
    cpu::parallel_for(threads, threads, [&](int64_t thread) {
      const size_t offset = kBytes * static_cast<size_t>(thread);
      std::memcpy(to.data() + offset, from.data() + offset, kBytes);
    });
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    best = std::max(best, 2e-9 * static_cast<double>(from.size()) / seconds.count());
  }
  return best;
}

double device_copy_rate(Context& context) {
  constexpr int64_t kBytes = int64_t{512} << 20;
  constexpr int kCopies = 10, kRounds = 5;
  const Tensor from = Tensor::zeros(context, {kBytes}, DType::kU8);
  const Tensor to = Tensor::zeros(context, {kBytes}, DType::kU8);
  double best = 0;
  for (int round = 0; round < kRounds; ++round) {
    const double seconds = context.stream()->time_seconds([&] {
      for (int i = 0; i < kCopies; ++i) to.copy_from(from);
    });
    best = std::max(best, 2e-9 * kCopies * static_cast<double>(kBytes) / seconds);
  }
  return best;
}

}  // namespace

DeviceRates measure_rates(Context& context) {
  switch (context.device().type) {
    case DeviceType::kCpu: {
      const int threads = context.kernel_stream().threads;
      const DeviceRates rates{loaded_fma_peak(threads), kUnknown, kUnknown,
                              host_copy_rate(threads)};
      forget_peak_memory();
      return rates;
    }
    case DeviceType::kCuda: {
      const CudaFacts facts = cuda_facts(context.device().index);
      return {facts.f32_gflops(), facts.tf32_gflops(), facts.half_gflops(),
              device_copy_rate(context)};
    }
    case DeviceType::kEmu:
      break;
  }
  return {kUnknown, kUnknown, kUnknown, kUnknown};
}

nlohmann::ordered_json device_facts(const Context& context) {
  nlohmann::ordered_json facts = nlohmann::ordered_json::object();
  if (context.device().type != DeviceType::kCuda) return facts;
  const CudaFacts cuda = cuda_facts(context.device().index);
  facts["gpu"] = cuda.name;
  facts["compute_capability"] = cuda.capability;
  facts["multiprocessors"] = cuda.multiprocessors;
  facts["clock_mhz"] = cuda.clock_mhz;
  facts["l2_mb"] = cuda.l2_mb;
  facts["driver_cuda"] = cuda.driver;
  facts["runtime_cuda"] = cuda.runtime;
  return facts;
}

}  // namespace ebb
