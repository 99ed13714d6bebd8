// Two of diffusers' UNets on the CUDA kernels, which the emulator runs and checks.

#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

Tensor run(const test::UnetGolden& c) {
  Executor executor(c.context, inference_graph(c.network, c.batch(), c.context), c.params);
  for (const auto& [name, value] : c.inputs) executor.set_input(name, value);
  return executor.run();
}

TEST_CASE("diffusers' UNets on the CUDA kernels give diffusers' outputs", "[nn][emu]") {
  const std::string name = GENERATE("ddpm", "if_stage_2");
  CAPTURE(name);
  const auto emu = make_context("emu", 1);
  const test::UnetGolden c(*emu, name);
  CHECK(test::largest_difference(run(c), c.golden.activation(*emu, "output")) <= 1e-4);
}

// Some thirty layers, in each of which values or what is multiplied are off by up to 2^-9.
TEST_CASE("a UNet of DeepFloyd IF in bf16 is as close as its rounding", "[nn][emu]") {
  const auto emu = make_context("emu", 1, Precision::kBF16);
  const test::UnetGolden c(*emu, "if_stage_1");
  const double error = test::nmse(run(c), c.golden.activation(*emu, "output"));
  CHECK(error < 60 * 0x1p-18);
  CHECK(error > 0x1p-18 / 60);  // it did round
  make_context("emu", 1);       // the others of this process are f32
}

}  // namespace
}  // namespace ebb
