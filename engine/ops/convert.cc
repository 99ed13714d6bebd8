#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("convert", inputs.size(), 1);
  return {inputs[0]};
}

DType output_dtype(const OpAttrs& attrs, DType) { return std::get<ConvertAttrs>(attrs).dtype; }

void run(Context& context, const OpCall& call) {
  const Tensor &x = call.inputs[0], &y = call.outputs[0];
  context.launch(
      &KernelTable::convert,
      ConvertArgs{
          .count = x.elements(), .from = x.dtype(), .to = y.dtype(), .x = x.raw(), .y = y.raw()});
}

}  // namespace

const OpDef kConvert = {.name = "convert",
                        .infer = infer,
                        .workspace_bytes = nullptr,
                        .run = run,
                        .output_dtype = output_dtype};

}  // namespace ebb::ops
