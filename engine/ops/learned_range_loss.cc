#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

constexpr int64_t kStepNumbers = sizeof(LearnedRangeStep) / sizeof(float);

// prediction [N, H, W, 2C], noise and images [N, H, W, C], steps [N, 4].
std::vector<Shape> infer(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("learned_range_loss", inputs.size(), 4);
  const Shape &prediction = inputs[0], &noise = inputs[1], &steps = inputs[3];
  EBB_CHECK(row_count(prediction) == row_count(noise) && prediction[0] == noise[0] &&
                prediction.back() == 2 * noise.back() && inputs[2] == noise,
            ShapeError, "learned_range_loss: prediction ", prediction, ", noise ", noise,
            ", images ", inputs[2]);
  EBB_CHECK((steps == Shape{noise[0], kStepNumbers}), ShapeError, "learned_range_loss: steps ",
            steps, " for ", noise[0], " images");
  return {Shape{1}};
}

int64_t workspace_bytes(const Context& context, const OpAttrs&, std::span<const Shape> inputs,
                        DType) {
  return context.kernel(&KernelTable::learned_range_loss_workspace_bytes)(inputs[1].elements());
}

void run(Context& context, const OpCall& call) {
  const Tensor& noise = call.inputs[1];
  context.launch(
      &KernelTable::learned_range_loss_forward,
      LearnedRangeLossArgs{.n = noise.shape()[0],
                           .pixels = pixel_count(noise.shape()),
                           .c = noise.shape().back(),
                           .vlb_weight = std::get<LearnedRangeAttrs>(call.attrs).vlb_weight,
                           .prediction = call.inputs[0].data<float>(),
                           .noise = noise.data<float>(),
                           .images = call.inputs[2].data<float>(),
                           .steps = static_cast<const LearnedRangeStep*>(call.inputs[3].raw()),
                           .loss = call.outputs[0].data<float>(),
                           .workspace = call.workspace});
}

}  // namespace

const OpDef kLearnedRangeLoss = {
    .name = "learned_range_loss", .infer = infer, .workspace_bytes = workspace_bytes, .run = run};

}  // namespace ebb::ops
