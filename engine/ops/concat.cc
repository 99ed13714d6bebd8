#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  EBB_CHECK(!inputs.empty(), ShapeError, "concat: no inputs");
  Shape y = inputs[0];
  y[0] = common_batch("concat", inputs);
  int64_t channels = 0;
  for (const Shape& input : inputs) {
    Shape same = input;
    same[0] = y[0];
    same[same.rank() - 1] = y.back();
    EBB_CHECK(same == y, ShapeError, "concat: inputs ", inputs[0], " and ", input,
              " differ in more than batch and channels");
    channels += input.back();
  }
  y[y.rank() - 1] = channels;
  return {y};
}

// An operand that its producer already wrote into its place is not copied.
void run(Context& context, const OpCall& call) {
  const Tensor& y = call.outputs[0];
  int64_t first = 0;
  for (const Tensor& x : call.inputs) {
    const Tensor part = y.channels(first, x.shape().back());
    first += x.shape().back();
    if (x.raw() == part.raw()) continue;
    context.launch(&KernelTable::copy_rows, CopyRowsArgs{.rows = row_count(y.shape()),
                                                         .x_rows = row_count(x.shape()),
                                                         .c = x.shape().back(),
                                                         .x_pitch = x.pitch(),
                                                         .y_pitch = y.pitch(),
                                                         .dtype = x.dtype(),
                                                         .x = x.raw(),
                                                         .y = part.raw()});
  }
}

}  // namespace

const OpDef kConcat = {.name = "concat",
                       .infer = infer,
                       .workspace_bytes = nullptr,
                       .run = run,
                       .reads_pitched = true};

}  // namespace ebb::ops
