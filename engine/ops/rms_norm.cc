#include "engine/op.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

// x [..., C], weight [C] -> y, rstd [rows].
std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("rms_norm", inputs.size(), 2);
  const Shape &x = inputs[0], &weight = inputs[1];
  EBB_CHECK(x.rank() >= 2, ShapeError, "rms_norm: input ", x, ", expected [N, ..., C]");
  EBB_CHECK(weight == Shape{x.back()}, ShapeError, "rms_norm: weight ", weight, " for input ", x,
            ", expected ", Shape{x.back()});
  return {x, {row_count(x)}};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  context.launch(&KernelTable::rms_norm_forward,
                 RmsNormForwardArgs{.rows = row_count(x.shape()),
                                    .c = x.shape().back(),
                                    .dtype = x.dtype(),
                                    .eps = std::get<RmsNormAttrs>(call.attrs).eps,
                                    .x = x.raw(),
                                    .gamma = call.inputs[1].data<float>(),
                                    .y = call.outputs[0].raw(),
                                    .rstd = call.outputs[1].data<float>()});
}

}  // namespace

const OpDef kRmsNorm = {.name = "rms_norm", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
