// T5 encoders on the CUDA kernels, which the emulator runs and checks.

#include "engine/executor.h"
#include "nn/graph_builder.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/t5_golden.h"
#include "testing/unet_golden.h"

namespace ebb {
namespace {

double difference(Context& context, const std::string& name) {
  const test::T5Golden c(context, name);
  Executor executor(context, inference_graph(c.network, c.batch(), context), c.params);
  for (const auto& [input, value] : c.inputs) executor.set_input(input, value);
  return test::largest_difference(executor.run(), c.golden.activation(context, "output"));
}

TEST_CASE("T5 encoders on the CUDA kernels give transformers' states", "[nn][emu]") {
  const auto emu = make_context("emu", 1);
  CHECK(difference(*emu, GENERATE("gated", "relu")) <= 1e-5);
}

TEST_CASE("T5 encoders in bf16 are as close as their rounding", "[nn][emu]") {
  const std::string name = GENERATE("gated", "relu");
  CAPTURE(name);
  const auto emu = make_context("emu", 1, Precision::kBF16);
  const double error = difference(*emu, name);
  CHECK(error <= 5e-2);
  CHECK(error > 1e-4);     // it did round
  make_context("emu", 1);  // the others of this process are f32
}

}  // namespace
}  // namespace ebb
