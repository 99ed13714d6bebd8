#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  check_input_count("upsample", inputs.size(), 1);
  const int64_t factor = std::get<UpsampleAttrs>(op_attrs).factor;
  const Shape& x = inputs[0];
  EBB_CHECK(x.rank() == 4, ShapeError, "upsample: input ", x, ", expected [N, H, W, C]");
  EBB_CHECK(factor > 0, ShapeError, "upsample: factor ", factor, ", expected at least 1");
  return {Shape{x[0], x[1] * factor, x[2] * factor, x[3]}};
}

void run(Context& context, const OpCall& call) {
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  context.launch(
      &KernelTable::upsample_forward,
      UpsampleForwardArgs{.interpolation = std::get<UpsampleAttrs>(call.attrs).interpolation,
                          .size = upsample_size(x.shape(), y.shape()),
                          .dtype = x.dtype(),
                          .x = x.raw(),
                          .y = y.raw()});
}

}  // namespace

UpsampleSize upsample_size(const Shape& x, const Shape& y) {
  return {.n = x[0], .h = x[1], .w = x[2], .ho = y[1], .wo = y[2], .c = x[3]};
}

const OpDef kUpsample = {
    .name = "upsample", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
