#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("affine", inputs.size(), 1);
  return {inputs[0]};
}

void run(Context& context, const OpCall& call) {
  const auto& attrs = std::get<AffineAttrs>(call.attrs);
  const Tensor& x = call.inputs[0];
  context.launch(&KernelTable::affine, AffineArgs{.dtype = x.dtype(),
                                                  .count = x.elements(),
                                                  .scale = attrs.scale,
                                                  .shift = attrs.shift,
                                                  .x = x.raw(),
                                                  .y = call.outputs[0].raw()});
}

}  // namespace

const OpDef kAffine = {.name = "affine", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
