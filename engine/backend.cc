#include "engine/backend.h"

#include "base/available_threads.h"
#include "engine/cuda/availability.h"
#include "kernels/cpu/simd_name.h"
#include "kernels/kernel_table.h"

#if EBB_CUDA
#include "engine/cuda/cuda_context.h"
#endif
#if EBB_EMULATOR
#include "engine/cuda/emu_context.h"
#endif

namespace ebb {
namespace {

#if EBB_CUDA
constexpr bool kHasCuda = true;
#else
constexpr bool kHasCuda = false;

NoCuda why_no_cuda_device(int) { return {"this build has no CUDA backend", "Use --device cpu"}; }

std::vector<std::string> list_cuda_devices() {
  return {cat("cuda    not available: ", why_no_cuda_device(0).reason)};
}

std::unique_ptr<Context> make_cuda_context(int device, const ContextOptions&) {
  const NoCuda why = why_no_cuda_device(device);
  throw DeviceError(cat("--device cuda: ", why.reason, ". ", why.advice));
}
#endif

#if EBB_EMULATOR
constexpr const char* kEmuStatus = "the CUDA kernels, run and checked on the host, for tests";
#else
constexpr const char* kEmuStatus = "not available: this build has no kernel emulator";

std::unique_ptr<Context> make_emu_context(const ContextOptions&) {
  throw DeviceError("--device emu: this build has no kernel emulator. Use --device cpu");
}
#endif

int64_t limit_of(const ContextOptions& options) {
  return options.memory_limit > 0 ? options.memory_limit : CachingAllocator::kNoLimit;
}

std::unique_ptr<Context> make_cpu_context(const ContextOptions& options) {
  EBB_CHECK(options.precision == Precision::kF32, UsageError, "--precision ",
            to_string(options.precision),
            ": the kernels of the CPU compute in f32. Use --device cuda, or leave --precision out");
  auto allocator = std::make_shared<CachingAllocator>(host_memory_source(), limit_of(options));
  const ConvMath conv_math{.winograd = options.kernels == KernelChoice::kDefault};
  return std::make_unique<Context>(Device{DeviceType::kCpu, 0}, host_stream(options.threads),
                                   std::move(allocator), cpu_kernels(), Precision::kF32, conv_math);
}

std::unique_ptr<Context> make_auto_context(const ContextOptions& options) {
  const std::string why = why_no_cuda_device(0).reason;
  if (why.empty()) return make_cuda_context(0, options);
  if (kHasCuda && options.on_remark) {
    options.on_remark(cat("no CUDA device (", why, "); using CPU"));
  }
  return make_cpu_context(options);
}

}  // namespace

std::unique_ptr<Context> make_context(const ContextOptions& wanted) {
  EBB_CHECK(wanted.threads >= 0 && wanted.threads <= 1024, UsageError, "--threads ", wanted.threads,
            ": must be 0..1024 (0 = all)");
  ContextOptions options = wanted;
  if (options.threads == 0) options.threads = available_threads();
  if (options.device == "auto") return make_auto_context(options);
  const Device parsed = parse_device(options.device);
  switch (parsed.type) {
    case DeviceType::kCpu:
      return make_cpu_context(options);
    case DeviceType::kCuda:
      return make_cuda_context(parsed.index, options);
    case DeviceType::kEmu:
      return make_emu_context(options);
  }
  throw UsageError(cat("--device ", options.device, ": unknown device"));
}

std::vector<std::string> list_devices() {
  std::vector<std::string> lines{
      cat("cpu     ", cpu::simd_name(), " kernels, ", available_threads(), " threads")};
  for (const std::string& line : list_cuda_devices()) lines.push_back(line);
  lines.push_back(cat("emu     ", kEmuStatus));
  lines.push_back(cat("auto    ", why_no_cuda_device(0).reason.empty() ? "cuda:0" : "cpu"));
  return lines;
}

}  // namespace ebb
