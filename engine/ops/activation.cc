#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("activation", inputs.size(), 1);
  return {inputs[0]};
}

void run(Context& context, const OpCall& call) {
  const Tensor& x = call.inputs[0];
  context.launch(&KernelTable::activation_forward,
                 ActivationArgs{.activation = std::get<ActivationAttrs>(call.attrs).activation,
                                .dtype = x.dtype(),
                                .count = x.elements(),
                                .x = x.raw(),
                                .y = call.outputs[0].raw()});
}

}  // namespace

const OpDef kActivation = {
    .name = "activation", .infer = infer, .workspace_bytes = nullptr, .run = run};

}  // namespace ebb::ops
