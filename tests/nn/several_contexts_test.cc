// Contexts of one process that compute in different ways, in turn.

#include "tests/nn/several_contexts.h"

namespace ebb {
namespace {

const std::vector<ContextOptions> kOptions = {
    {.device = "cpu", .threads = 1, .kernels = KernelChoice::kDefault},
    {.device = "cpu", .threads = 2, .kernels = KernelChoice::kDirect}};

TEST_CASE("a context with Winograd and a direct one give in turn what each gives alone", "[nn]") {
  test::check_contexts_in_turn(
      kOptions, [](Context& context) { return test::run_conv(context, DType::kF32); });
  test::check_networks_in_turn(kOptions, /*hidden=*/16);
}

}  // namespace
}  // namespace ebb
