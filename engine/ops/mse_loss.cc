#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("mse_loss", inputs.size(), 2);
  EBB_CHECK(inputs[0] == inputs[1], ShapeError, "mse_loss: prediction ", inputs[0], ", target ",
            inputs[1]);
  return {Shape{1}};
}

int64_t workspace_bytes(const Context& context, const OpAttrs&, std::span<const Shape> inputs,
                        DType) {
  return context.kernel(&KernelTable::mse_loss_workspace_bytes)(inputs[0].elements());
}

void run(Context& context, const OpCall& call) {
  const Tensor& prediction = call.inputs[0];
  context.launch(&KernelTable::mse_loss_forward, MseLossArgs{.count = prediction.elements(),
                                                             .dtype = prediction.dtype(),
                                                             .prediction = prediction.raw(),
                                                             .target = call.inputs[1].raw(),
                                                             .loss = call.outputs[0].data<float>(),
                                                             .workspace = call.workspace});
}

}  // namespace

const OpDef kMseLoss = {.name = "mse_loss",
                        .infer = infer,
                        .workspace_bytes = workspace_bytes,
                        .run = run,
                        .output_dtype = [](const OpAttrs&, DType) { return DType::kF32; }};

}  // namespace ebb::ops
