// diffusers' UNets on the CUDA kernels, which the emulator runs and checks.

#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

Tensor run(Context& context, const std::string& name) {
  const test::UnetGolden c(context, name);
  Executor executor(context, inference_graph(c.network, c.batch(), context), c.params);
  for (const auto& [input, value] : c.inputs) executor.set_input(input, value);
  return executor.run();
}

Tensor expected(Context& context, const std::string& name) {
  return test::UnetGolden(context, name).golden.activation(context, "output");
}

TEST_CASE("diffusers' UNets on the CUDA kernels give diffusers' outputs and the CPU's",
          "[nn][emu]") {
  const std::string name = GENERATE(from_range(test::unet_goldens()));
  CAPTURE(name);
  const auto emu = make_context("emu", 1);
  const Tensor output = run(*emu, name);
  CHECK(test::largest_difference(output, expected(*emu, name)) <= 1e-4);
  CHECK(test::nmse(output, run(*test::cpu_context(), name)) < 1e-9);
}

// Some thirty layers, in each of which values or what is multiplied are off by up to 2^-9 (bf16) or
// 2^-12 (f16) of themselves.
TEST_CASE("diffusers' UNets in 16 bits are as close as their rounding", "[nn][emu]") {
  const std::string name = GENERATE("ddpm", "example", "karlo", "odd", "if_stage_1", "if_stage_2");
  const Precision precision = GENERATE(Precision::kBF16, Precision::kF16);
  CAPTURE(name, to_string(precision));
  const auto emu = make_context("emu", 1, precision);
  const Tensor output = run(*emu, name);
  const double unit = precision == Precision::kBF16 ? 0x1p-9 : 0x1p-12;
  const double error = test::nmse(output, run(*test::cpu_context(), name));
  CHECK(error < 60 * unit * unit);
  CHECK(error > unit * unit / 60);  // it did round
  CHECK(test::largest_difference(output, expected(*emu, name)) <= 2e-2);
  make_context("emu", 1);  // the others of this process are f32
}

}  // namespace
}  // namespace ebb
