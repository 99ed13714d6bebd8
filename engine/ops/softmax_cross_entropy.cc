#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("softmax_cross_entropy", inputs.size(), 2);
  EBB_CHECK(inputs[0].rank() == 2 && inputs[0].elements() > 0, ShapeError,
            "softmax_cross_entropy: logits ", inputs[0], ", expected [N, K]");
  EBB_CHECK(inputs[0] == inputs[1], ShapeError, "softmax_cross_entropy: logits ", inputs[0],
            ", target ", inputs[1]);
  return {Shape{1}};
}

int64_t workspace_bytes(const Context& context, const OpAttrs&, std::span<const Shape> inputs,
                        DType) {
  return context.kernel(&KernelTable::softmax_cross_entropy_workspace_bytes)(inputs[0][0]);
}

void run(Context& context, const OpCall& call) {
  const Tensor& logits = call.inputs[0];
  context.launch(&KernelTable::softmax_cross_entropy_forward,
                 SoftmaxCrossEntropyArgs{.rows = logits.shape()[0],
                                         .classes = logits.shape()[1],
                                         .dtype = logits.dtype(),
                                         .logits = logits.raw(),
                                         .target = call.inputs[1].raw(),
                                         .loss = call.outputs[0].data<float>(),
                                         .workspace = call.workspace});
}

}  // namespace

const OpDef kSoftmaxCrossEntropy = {
    .name = "softmax_cross_entropy",
    .infer = infer,
    .workspace_bytes = workspace_bytes,
    .run = run,
    .output_dtype = [](const OpAttrs&, DType) { return DType::kF32; }};

}  // namespace ebb::ops
