#include "engine/profile.h"

#include "testing/catch.h"

namespace ebb {
namespace {

TEST_CASE("the profile is two tables sorted by time with shares of the total", "[engine]") {
  Profiler profiler;
  profiler.record("conv_forward", "down1", 0.006);
  profiler.record("batch_norm", "down1", 0.002);
  profiler.record("conv_forward", "up1", 0.0075);
  profiler.record("conv_forward", "down1", 0.0045);
  CHECK(profiler.table() ==
        "kernel                                   calls      total ms    share\n"
        "conv_forward                                 3         18.00    90.0%\n"
        "batch_norm                                   1          2.00    10.0%\n"
        "\n"
        "layer                                    calls      total ms    share\n"
        "down1                                        3         12.50    62.5%\n"
        "up1                                          1          7.50    37.5%\n");
}

TEST_CASE("a profile of nothing, or of nothing that took time, has no NaN", "[engine]") {
  Profiler profiler;
  CHECK_THAT(profiler.table(), Catch::Matchers::StartsWith("kernel "));
  profiler.record("conv_forward", "down1", 0);
  CHECK_THAT(profiler.table(), Catch::Matchers::Contains("0.0%"));
  CHECK_THAT(profiler.table(), !Catch::Matchers::Contains("nan"));
}

}  // namespace
}  // namespace ebb
