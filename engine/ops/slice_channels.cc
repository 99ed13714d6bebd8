#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs& op_attrs, std::span<const Shape> inputs) {
  check_input_count("slice_channels", inputs.size(), 1);
  const auto& attrs = std::get<SliceAttrs>(op_attrs);
  Shape y = inputs[0];
  EBB_CHECK(
      y.rank() >= 2 && attrs.first >= 0 && attrs.count > 0 && attrs.first + attrs.count <= y.back(),
      ShapeError, "slice_channels: channels ", attrs.first, " to ", attrs.first + attrs.count,
      " of input ", y);
  y[y.rank() - 1] = attrs.count;
  return {y};
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<SliceAttrs>(call.attrs);
  const Tensor& y = call.outputs[0];
  const Tensor x = call.inputs[0].channels(attrs.first, attrs.count);
  context.launch(&KernelTable::copy_rows, CopyRowsArgs{.rows = row_count(y.shape()),
                                                       .x_rows = row_count(y.shape()),
                                                       .c = attrs.count,
                                                       .x_pitch = x.pitch(),
                                                       .y_pitch = y.pitch(),
                                                       .dtype = x.dtype(),
                                                       .x = x.raw(),
                                                       .y = y.raw()});
}

}  // namespace

const OpDef kSliceChannels = {.name = "slice_channels",
                              .infer = infer,
                              .workspace_bytes = nullptr,
                              .run = run,
                              .reads_pitched = true};

}  // namespace ebb::ops
