// The same as several_contexts_test.cc for emulated GPUs.

#include "kernels/simt/emulator.h"
#include "tests/nn/several_contexts.h"

namespace ebb {
namespace {

TEST_CASE("contexts of different precisions give in turn what each gives alone", "[nn][emu]") {
  const std::vector<ContextOptions> options = {{.device = "emu", .precision = Precision::kF32},
                                               {.device = "emu", .precision = Precision::kTf32},
                                               {.device = "emu", .precision = Precision::kBF16}};
  test::check_contexts_in_turn(options, [](Context& context) {
    return test::run_conv(context, activation_dtype(context.precision()));
  });
  test::check_networks_in_turn(options, /*hidden=*/4);
}

// Products of wgmma and of mma.sync are added in the same order, so the bits may be equal: what
// differs is how warps synchronize: at every mma.sync, and at mbarriers for wgmma.
TEST_CASE("contexts of different architectures run in turn what each runs alone", "[nn][emu]") {
  const std::vector<ContextOptions> options = {
      {.device = "emu", .precision = Precision::kBF16, .emulated = {.capability = 80}},
      {.device = "emu", .precision = Precision::kBF16, .emulated = {.capability = 90}}};
  test::check_contexts_in_turn(options, [](Context& context) {
    const auto& counts = simt::emulator::statistics();
    const uint64_t before = counts.collectives;
    std::vector<float> result = test::run_conv(context, DType::kBF16);
    result.push_back(static_cast<float>(counts.collectives - before));
    return result;
  });
}

}  // namespace
}  // namespace ebb
