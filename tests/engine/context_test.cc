#include "engine/context.h"

#include <string>

#include "base/available_threads.h"
#include "engine/backend.h"
#include "engine/op.h"
#include "kernels/kernel_table.h"
#include "testing/catch.h"
#include "testing/contexts.h"
#include "testing/errors.h"
#include "testing/tensors.h"

namespace ebb {
namespace {

using test::message_of;

TEST_CASE("a context is made for a device and a number of threads", "[engine]") {
  CHECK(make_context("cpu", 3)->kernel_stream().threads == 3);
  CHECK(make_context("auto", 1)->device() == Device{DeviceType::kCpu, 0});
  CHECK(make_context("cpu", 0)->kernel_stream().threads == available_threads());
  CHECK(available_threads() >= 1);
}

TEST_CASE("a bad thread count is a usage error with the range", "[engine]") {
  for (const int threads : {-1, 1025}) {
    CHECK(message_of<UsageError>([&] { make_context("cpu", threads); }) ==
          "--threads " + std::to_string(threads) + ": must be 0..1024 (0 = all)");
  }
  CHECK_THROWS_AS(make_context("tpu", 1), UsageError);
}

TEST_CASE("a precision other than f32 is refused on the CPU", "[engine]") {
  CHECK(make_context("cpu", 1)->precision() == Precision::kF32);
  for (const char* name : {"tf32", "bf16", "f16"}) {
    CHECK(message_of<UsageError>([&] { make_context("cpu", 1, parse_precision(name)); }) ==
          cat("--precision ", name,
              ": the kernels of the CPU compute in f32. Use --device cuda, or leave --precision "
              "out"));
  }
  CHECK(message_of<UsageError>([&] { parse_precision("f8"); }) ==
        "--precision f8: unknown precision. Use f32, tf32, bf16 or f16");
}

TEST_CASE("a kernel that the backend lacks gives one uniform error", "[engine]") {
  KernelTable table = cpu_kernels();
  table.name = "bare";
  table.activation_forward.fn = nullptr;
  Context context({DeviceType::kCpu, 0}, host_stream(1), std::make_shared<test::PoisonAllocator>(),
                  table);
  const std::vector<Tensor> x{Tensor::zeros(context, {2, 2})};
  CHECK(message_of<DeviceError>(
            [&] { run_op(context, ops::kActivation, ActivationAttrs{Activation::kGelu}, x); }) ==
        "--device bare: kernel activation_forward is not available on this backend. Use --device "
        "cpu");
}

TEST_CASE("launches are counted under their kernel and their layer", "[engine]") {
  const auto context = test::cpu_context();
  const std::vector<Tensor> x{Tensor::zeros(*context, {2, 2})};
  const auto gelu = [&] {
    run_op(*context, ops::kActivation, ActivationAttrs{Activation::kGelu}, x);
  };
  gelu();
  CHECK(context->profiler() == nullptr);
  context->enable_profiler();
  gelu();
  {
    const std::string outer = "up1", inner = "up1.block";
    const LayerScope outer_scope(*context, outer);
    gelu();
    {
      const LayerScope inner_scope(*context, inner);
      gelu();
    }
    gelu();
  }
  const std::string table = context->profiler()->table();
  const auto has_row = [&](const std::string& name, int calls) {
    const std::string start = "\n" + name + " ";
    const size_t at = table.find(start);
    return at != std::string::npos && std::stoi(table.substr(at + start.size())) == calls;
  };
  INFO(table);
  CHECK(has_row("activation_forward", 4));
  CHECK(has_row("-", 1));
  CHECK(has_row("up1", 2));
  CHECK(has_row("up1.block", 1));
}

}  // namespace
}  // namespace ebb
