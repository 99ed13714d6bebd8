#include "bench/measurement.h"

#include <algorithm>
#include <cmath>
#include <memory>

#include "base/error.h"
#include "bench/prepared_op.h"

namespace ebb {
namespace {

// Milliseconds of one run. On a GPU: many runs in one captured graph, in turn on copies of the
// operands that together exceed its caches. On the CPU one run after a warm-up; one that takes
// longer than half a second needs none.
double measure_ms(Context& context, const Measurement& m) {
  if (context.device().type != DeviceType::kCuda) {
    constexpr double kLongMs = 500;
    const PreparedOp op(context, m.op_case, m.pass, m.variant.dtype);
    const double first = context.stream()->time_seconds([&] { op.run(); }) * 1e3;
    if (first > kLongMs || context.device().type == DeviceType::kEmu) return first;
    return context.stream()->time_seconds([&] { op.run(); }) * 1e3;
  }
  constexpr double kCacheBytes = 150e6, kWantedMs = 20;
  constexpr int kMaxCopies = 16, kRuns = 20;
  const double copies =
      std::clamp(std::ceil(kCacheBytes / m.roofline.bytes), 1.0, 1.0 * kMaxCopies);
  std::vector<std::unique_ptr<PreparedOp>> ops;
  for (int i = 0; i < static_cast<int>(copies); ++i) {
    ops.push_back(std::make_unique<PreparedOp>(context, m.op_case, m.pass, m.variant.dtype));
    ops.back()->run();
  }
  const auto run_all = [&] {
    for (int i = 0; i < kRuns; ++i) ops[static_cast<size_t>(i) % ops.size()]->run();
  };
  const std::unique_ptr<CapturedGraph> graph = context.stream()->capture(run_all);
  const auto repeat = [&](int times) {
    return context.stream()->time_seconds([&] {
      for (int i = 0; i < times; ++i) {
        graph != nullptr ? graph->launch() : run_all();
      }
    });
  };
  repeat(1);
  const double once = repeat(1) * 1e3;
  const int times = static_cast<int>(std::clamp(kWantedMs / once, 1.0, 1000.0));
  return repeat(times) * 1e3 / times / kRuns;
}

}  // namespace

void measure(Context& context, Measurement& m, bool with_error) {
  const KernelTable& kernels = m.variant.table != nullptr ? *m.variant.table : context.kernels();
  Context where(context.device(), context.stream(), context.allocator(), kernels,
                context.precision(), m.variant.conv_math, context.properties());
  constexpr double kMaxFlops = 5e8;  // of two images: the reference is a plain loop
  const auto* conv = std::get_if<ConvShape>(&m.op_case.shape);
  try {
    if (with_error && conv != nullptr &&
        2 * m.roofline.flops / static_cast<double>(conv->n) < kMaxFlops) {
      m.was_compared = true;
      m.error = conv_error(where, *conv, conv_pass_of(m.pass), m.variant.dtype);
    }
    m.ms.push_back(measure_ms(where, m));
  } catch (const DeviceError& error) {
    m.why_not = error.what();  // one shape that cuDNN does not take ends no table
    m.ms.clear();
  }
}

}  // namespace ebb
