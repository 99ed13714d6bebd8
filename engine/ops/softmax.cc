#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("softmax", inputs.size(), 1);
  const Shape& x = inputs[0];
  EBB_CHECK(x.rank() >= 2 && x.back() > 0, ShapeError, "softmax: input ", x,
            ", expected [N, ..., C] with C > 0");
  return {x};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  context.launch(&KernelTable::softmax_forward, SoftmaxForwardArgs{.rows = row_count(x.shape()),
                                                                   .c = x.shape().back(),
                                                                   .dtype = x.dtype(),
                                                                   .x = x.raw(),
                                                                   .y = call.outputs[0].raw()});
}

}  // namespace

const OpDef kSoftmax = {.name = "softmax", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
