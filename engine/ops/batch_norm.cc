#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::ops {
namespace {

void check(const char* op, std::span<const Shape> inputs) {
  EBB_CHECK(inputs[0].rank() >= 2, ShapeError, op, ": input ", inputs[0], ", expected [N, ..., C]");
  const Shape per_channel{inputs[0].back()};
  for (size_t i = 1; i < 5; ++i) {
    EBB_CHECK(inputs[i] == per_channel, ShapeError, op, ": parameter ", i, " has shape ", inputs[i],
              " for input ", inputs[0], ", expected ", per_channel);
  }
}

std::vector<Shape> infer_inference(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("batch_norm", inputs.size(), 5);
  check("batch_norm", inputs);
  return {inputs[0]};
}

void run_inference(Context& context, const OpCall& call) {
  const auto& attrs = std::get<BatchNormAttrs>(call.attrs);
  const Tensor& x = call.inputs[0];
  context.launch(&KernelTable::batch_norm_infer,
                 BatchNormInferArgs{.rows = row_count(x.shape()),
                                    .c = x.shape().back(),
                                    .dtype = x.dtype(),
                                    .activation = attrs.activation,
                                    .eps = attrs.eps,
                                    .x = x.raw(),
                                    .gamma = call.inputs[1].data<float>(),
                                    .beta = call.inputs[2].data<float>(),
                                    .running_mean = call.inputs[3].data<float>(),
                                    .running_var = call.inputs[4].data<float>(),
                                    .y = call.outputs[0].raw()});
}

std::vector<Shape> infer_training(const OpAttrs&, std::span<const Shape> inputs) {
  const bool has_moments = inputs.size() == 6;
  if (!has_moments) check_input_count("batch_norm_train", inputs.size(), 5);
  check("batch_norm_train", inputs);
  const int64_t c = inputs[0].back();
  if (has_moments) {
    const Shape& moments = inputs[5];
    EBB_CHECK(moments.rank() == 3 && moments == moments_shape(moments[0], c), ShapeError,
              "batch_norm_train: moments ", moments, " for input ", inputs[0]);
  }
  const Shape per_channel{c};
  return {inputs[0], per_channel, per_channel};
}

int64_t training_workspace(const Context& context, const OpAttrs&, std::span<const Shape> inputs,
                           DType) {
  return context.kernel(&KernelTable::batch_norm_workspace_bytes)(row_count(inputs[0]),
                                                                  inputs[0].back());
}

void run_training(Context& context, const OpCall& call) {
  const auto& attrs = std::get<BatchNormAttrs>(call.attrs);
  const Tensor& x = call.inputs[0];
  const bool has_moments = call.inputs.size() == 6;
  context.launch(
      &KernelTable::batch_norm_train,
      BatchNormTrainArgs{
          .rows = row_count(x.shape()),
          .c = x.shape().back(),
          .dtype = x.dtype(),
          .activation = attrs.activation,
          .eps = attrs.eps,
          .momentum = attrs.momentum,
          .x = x.raw(),
          .gamma = call.inputs[1].data<float>(),
          .beta = call.inputs[2].data<float>(),
          .running_mean = call.inputs[3].data<float>(),
          .running_var = call.inputs[4].data<float>(),
          .y = call.outputs[0].raw(),
          .mean = call.outputs[1].data<float>(),
          .rstd = call.outputs[2].data<float>(),
          .workspace = call.workspace,
          .moments = has_moments ? static_cast<RowMoments*>(call.inputs[5].raw()) : nullptr,
          .moment_chunks = has_moments ? call.inputs[5].shape()[0] : 0});
}

std::vector<Shape> infer_fold(const OpAttrs&, std::span<const Shape> inputs) {
  check_input_count("fold_batch_norm", inputs.size(), 6);
  const Shape per_channel{inputs[0][0]};
  for (size_t i = 1; i < 6; ++i) {
    EBB_CHECK(inputs[i] == per_channel, ShapeError, "fold_batch_norm: parameter ", i, " has shape ",
              inputs[i], " for weight ", inputs[0], ", expected ", per_channel);
  }
  return {inputs[0], inputs[1]};
}

void run_fold(Context& context, const OpCall& call) {
  const Tensor& w = call.inputs[0];
  const int64_t o = w.shape()[0];
  context.launch(&KernelTable::fold_batch_norm,
                 FoldBatchNormArgs{.o = o,
                                   .k = w.elements() / o,
                                   .eps = std::get<BatchNormAttrs>(call.attrs).eps,
                                   .w = w.data<float>(),
                                   .b = call.inputs[1].data<float>(),
                                   .gamma = call.inputs[2].data<float>(),
                                   .beta = call.inputs[3].data<float>(),
                                   .mean = call.inputs[4].data<float>(),
                                   .var = call.inputs[5].data<float>(),
                                   .folded_w = call.outputs[0].data<float>(),
                                   .folded_b = call.outputs[1].data<float>()});
}

}  // namespace

const OpDef kBatchNorm = {.name = "batch_norm",
                          .infer = infer_inference,
                          .workspace_bytes = nullptr,
                          .run = run_inference,
                          .in_training = &kBatchNormTrain};
const OpDef kBatchNormTrain = {.name = "batch_norm_train",
                               .infer = infer_training,
                               .workspace_bytes = training_workspace,
                               .run = run_training,
                               .takes_moments = true};
const OpDef kFoldBatchNorm = {
    .name = "fold_batch_norm", .infer = infer_fold, .workspace_bytes = nullptr, .run = run_fold};

}  // namespace ebb::ops
