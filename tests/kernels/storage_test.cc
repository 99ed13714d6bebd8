#include <functional>
#include <string>

#include "base/error.h"
#include "kernels/kernel_table.h"
#include "testing/catch.h"
#include "testing/cpu_stream.h"

namespace ebb::test {
namespace {

// Runs an operation on empty bf16 tensors; returns the message of its ShapeError.
template <typename Args>
std::string refusal(KernelEntry<void(const Args&, KernelStream)> KernelTable::*entry) {
  Args args = {};
  args.dtype = DType::kBF16;
  try {
    (cpu_kernels().*entry).fn(args, cpu_stream());
  } catch (const ShapeError& error) {
    return error.what();
  }
  return "accepted";
}

TEST_CASE("cpu kernels: storage other than f32 is refused by name", "[kernels]") {
  CHECK(refusal(&KernelTable::activation_forward) == "cpu kernels: activation takes f32, got bf16");
  CHECK(refusal(&KernelTable::activation_backward) ==
        "cpu kernels: activation takes f32, got bf16");
  CHECK(refusal(&KernelTable::avg_pool_forward) == "cpu kernels: avg_pool takes f32, got bf16");
  CHECK(refusal(&KernelTable::avg_pool_backward) == "cpu kernels: avg_pool takes f32, got bf16");
  CHECK(refusal(&KernelTable::batch_norm_train) == "cpu kernels: batch_norm takes f32, got bf16");
  CHECK(refusal(&KernelTable::batch_norm_infer) == "cpu kernels: batch_norm takes f32, got bf16");
  CHECK(refusal(&KernelTable::batch_norm_backward) ==
        "cpu kernels: batch_norm takes f32, got bf16");
  CHECK(refusal(&KernelTable::broadcast_forward) == "cpu kernels: broadcast takes f32, got bf16");
  CHECK(refusal(&KernelTable::broadcast_backward) == "cpu kernels: broadcast takes f32, got bf16");
  CHECK(refusal(&KernelTable::copy_rows) == "cpu kernels: copy_rows takes f32, got bf16");
  CHECK(refusal(&KernelTable::mse_loss_forward) == "cpu kernels: mse_loss takes f32, got bf16");
  CHECK(refusal(&KernelTable::mse_loss_backward) == "cpu kernels: mse_loss takes f32, got bf16");
}

}  // namespace
}  // namespace ebb::test
