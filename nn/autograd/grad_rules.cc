#include "nn/autograd/grad_rules.h"

#include <cstdint>
#include <utility>

#include "engine/ops/ops.h"
#include "kernels/kernel_table.h"

namespace ebb::autograd {
namespace {

void conv_grad(const GradCall& call) {
  const auto& attrs = std::get<ConvAttrs>(call.attrs);
  const Tensor &x = call.inputs[0], &w = call.inputs[1];
  Context& context = call.context;
  EBB_CHECK(attrs.activation == Activation::kNone && !attrs.packed_weight, Error,
            "conv: a fused activation or packed weight has no gradient");
  EBB_CHECK(!ops::has_residual(attrs, call.inputs.size()), Error,
            "conv: a residual has no gradient");
  const ConvGeometry g = ops::conv_op_geometry(attrs, x.shape(), w.shape()[0]);
  const auto workspace = [&](ConvPass pass) {
    const int64_t bytes = context.kernel(&KernelTable::conv_workspace_bytes)(
        g, pass, x.dtype(), context.conv_math(), context.kernel_stream().threads);
    return Tensor::empty(context, {bytes}, DType::kU8);
  };
  if (call.wanted[1] || (attrs.reads_bias && call.wanted[2])) {
    const Tensor scratch = workspace(ConvPass::kBackwardWeight);
    context.launch(
        &KernelTable::conv_backward_weight,
        ConvBackwardWeightArgs{.geometry = g,
                               .dtype = x.dtype(),
                               .x = x.raw(),
                               .dy = call.dy.raw(),
                               .dw = call.grad(1).data<float>(),
                               .db = attrs.reads_bias ? call.grad(2).data<float>() : nullptr,
                               .workspace = scratch.raw()});
  }
  if (call.wanted[0]) {
    const int64_t packed_bytes = context.kernel(&KernelTable::conv_packed_bytes)(
        g, ConvPass::kBackwardInput, x.dtype(), context.conv_math());
    const Tensor packed = Tensor::empty(context, {packed_bytes}, DType::kU8);
    const Tensor scratch = workspace(ConvPass::kBackwardInput);
    context.launch(&KernelTable::conv_pack, ConvPackArgs{g, ConvPass::kBackwardInput, x.dtype(),
                                                         w.data<float>(), packed.raw()});
    context.launch(&KernelTable::conv_backward_input,
                   ConvBackwardInputArgs{.geometry = g,
                                         .dtype = x.dtype(),
                                         .dy = call.dy.raw(),
                                         .packed = packed.raw(),
                                         .dx = call.grad(0).raw(),
                                         .workspace = scratch.raw()});
  }
}

void batch_norm_train_grad(const GradCall& call) {
  const auto& attrs = std::get<BatchNormAttrs>(call.attrs);
  const Tensor& x = call.inputs[0];
  Context& context = call.context;
  const int64_t rows = row_count(x.shape()), c = x.shape().back();
  const int64_t bytes = context.kernel(&KernelTable::batch_norm_workspace_bytes)(rows, c);
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  context.launch(&KernelTable::batch_norm_backward,
                 BatchNormBackwardArgs{.rows = rows,
                                       .c = c,
                                       .dtype = x.dtype(),
                                       .activation = attrs.activation,
                                       .x = x.raw(),
                                       .gamma = call.inputs[1].data<float>(),
                                       .beta = call.inputs[2].data<float>(),
                                       .mean = call.outputs[1].data<float>(),
                                       .rstd = call.outputs[2].data<float>(),
                                       .dy = call.dy.raw(),
                                       .dx = call.grad(0).raw(),
                                       .dgamma = call.grad(1).data<float>(),
                                       .dbeta = call.grad(2).data<float>(),
                                       .workspace = workspace.raw()});
}

void activation_grad(const GradCall& call) {
  const Tensor& x = call.inputs[0];
  call.context.launch(
      &KernelTable::activation_backward,
      ActivationBackwardArgs{.activation = std::get<ActivationAttrs>(call.attrs).activation,
                             .dtype = x.dtype(),
                             .count = x.elements(),
                             .x = x.raw(),
                             .dy = call.dy.raw(),
                             .dx = call.grad(0).raw()});
}

void affine_grad(const GradCall& call) {
  const Tensor& dx = call.grad(0);
  call.context.launch(&KernelTable::affine,
                      AffineArgs{.dtype = dx.dtype(),
                                 .count = dx.elements(),
                                 .scale = std::get<AffineAttrs>(call.attrs).scale,
                                 .shift = 0,
                                 .x = call.dy.raw(),
                                 .y = dx.raw()});
}

void avg_pool_grad(const GradCall& call) {
  const Shape& x = call.inputs[0].shape();
  const ops::PoolWindows windows = ops::pool_windows(std::get<PoolAttrs>(call.attrs), x);
  call.context.launch(&KernelTable::avg_pool_backward,
                      AvgPoolBackwardArgs{.n = x[0],
                                          .h = windows.h,
                                          .w = windows.w,
                                          .c = x.back(),
                                          .kh = windows.kh,
                                          .kw = windows.kw,
                                          .dtype = call.dy.dtype(),
                                          .dy = call.dy.raw(),
                                          .dx = call.grad(0).raw()});
}

// Operands read modulo their batch have no gradient rule: training runs one branch. But one row for
// all images of an addition or multiplication is a parameter, and has one.
void check_same_batch(const char* op, const Tensor& a, const Tensor& b) {
  EBB_CHECK(a.shape()[0] == b.shape()[0], ShapeError, op, " gradient: batches ", a.shape()[0],
            " and ", b.shape()[0], " differ");
}

void concat_grad(const GradCall& call) {
  int64_t first = 0;
  for (size_t i = 0; i < call.inputs.size(); ++i) {
    const int64_t channels = call.inputs[i].shape().back();
    const Tensor part = call.dy.channels(first, channels);
    first += channels;
    if (!call.wanted[i]) continue;
    const Tensor& dx = call.grad(i);
    check_same_batch("concat", dx, part);
    call.context.launch(&KernelTable::copy_rows, CopyRowsArgs{.rows = row_count(dx.shape()),
                                                              .x_rows = row_count(dx.shape()),
                                                              .c = channels,
                                                              .x_pitch = part.pitch(),
                                                              .y_pitch = channels,
                                                              .dtype = dx.dtype(),
                                                              .x = part.raw(),
                                                              .y = dx.raw()});
  }
}

// The range of channels gets dy, the others 0.
void slice_channels_grad(const GradCall& call) {
  const auto& attrs = std::get<SliceAttrs>(call.attrs);
  const Tensor& dx = call.grad(0);
  dx.fill_zero();
  const Tensor part = dx.channels(attrs.first, attrs.count);
  call.context.launch(&KernelTable::copy_rows, CopyRowsArgs{.rows = row_count(dx.shape()),
                                                            .x_rows = row_count(dx.shape()),
                                                            .c = attrs.count,
                                                            .x_pitch = attrs.count,
                                                            .y_pitch = part.pitch(),
                                                            .dtype = dx.dtype(),
                                                            .x = call.dy.raw(),
                                                            .y = part.raw()});
}

void broadcast_grad(const GradCall& call, BroadcastOp op) {
  const Tensor &x = call.inputs[0], &s = call.inputs[1];
  const bool elementwise = ops::is_elementwise(x.shape(), s.shape());
  const bool is_row = s.shape()[0] == 1;  // the images are then as many pixels of one
  int64_t n = x.shape()[0], pixels = elementwise ? 1 : pixel_count(x.shape());
  if (is_row) pixels *= std::exchange(n, 1);
  if (!is_row) check_same_batch(op == BroadcastOp::kAdd ? "add" : "multiply", x, s);
  call.context.launch(&KernelTable::broadcast_backward,
                      BroadcastBackwardArgs{.op = op,
                                            .n = n,
                                            .pixels = pixels,
                                            .c = x.elements() / (n * pixels),
                                            .dtype = x.dtype(),
                                            .x = x.raw(),
                                            .s = s.raw(),
                                            .dy = call.dy.raw(),
                                            .dx = call.wanted[0] ? call.grad(0).raw() : nullptr,
                                            .ds = call.wanted[1] ? call.grad(1).raw() : nullptr});
}

void add_grad(const GradCall& call) { broadcast_grad(call, BroadcastOp::kAdd); }

void multiply_grad(const GradCall& call) { broadcast_grad(call, BroadcastOp::kMultiply); }

void group_norm_grad(const GradCall& call) {
  const auto& attrs = std::get<GroupNormAttrs>(call.attrs);
  const Tensor& x = call.inputs[0];
  Context& context = call.context;
  // Scale and shift, their gradients; null where there is none.
  const size_t at_shift = attrs.scales ? 4 : 3;
  const auto vectors = [&](bool there, size_t i) -> const float* {
    if (there) check_same_batch("group_norm", x, call.inputs[i]);
    return there ? call.inputs[i].data<float>() : nullptr;
  };
  const auto gradient = [&](bool there, size_t i) -> float* {
    return there && call.wanted[i] ? call.grad(i).data<float>() : nullptr;
  };
  const GroupNormSize size{x.shape()[0], pixel_count(x.shape()), x.shape().back(), attrs.groups};
  const int64_t bytes = context.kernel(&KernelTable::group_norm_workspace_bytes)(size);
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  context.launch(&KernelTable::group_norm_backward,
                 GroupNormBackwardArgs{.size = size,
                                       .dtype = x.dtype(),
                                       .activation = attrs.activation,
                                       .x = x.raw(),
                                       .gamma = call.inputs[1].data<float>(),
                                       .beta = call.inputs[2].data<float>(),
                                       .scale = vectors(attrs.scales, 3),
                                       .shift = vectors(attrs.shifts, at_shift),
                                       .mean = call.outputs[1].data<float>(),
                                       .rstd = call.outputs[2].data<float>(),
                                       .dy = call.dy.raw(),
                                       .dx = call.grad(0).raw(),
                                       .dgamma = call.grad(1).data<float>(),
                                       .dbeta = call.grad(2).data<float>(),
                                       .dscale = gradient(attrs.scales, 3),
                                       .dshift = gradient(attrs.shifts, at_shift),
                                       .workspace = workspace.raw()});
}

void layer_norm_grad(const GradCall& call) {
  const Tensor& x = call.inputs[0];
  Context& context = call.context;
  const int64_t rows = row_count(x.shape()), c = x.shape().back();
  const int64_t bytes = context.kernel(&KernelTable::layer_norm_workspace_bytes)(rows, c);
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  const auto gradient = [&](size_t i) -> float* {
    return i < call.inputs.size() && call.wanted[i] ? call.grad(i).data<float>() : nullptr;
  };
  context.launch(&KernelTable::layer_norm_backward,
                 LayerNormBackwardArgs{
                     .rows = rows,
                     .c = c,
                     .dtype = x.dtype(),
                     .x = x.raw(),
                     .gamma = call.inputs.size() > 1 ? call.inputs[1].data<float>() : nullptr,
                     .mean = call.outputs[1].data<float>(),
                     .rstd = call.outputs[2].data<float>(),
                     .dy = call.dy.raw(),
                     .dx = call.grad(0).raw(),
                     .dgamma = gradient(1),
                     .dbeta = gradient(2),
                     .workspace = workspace.raw()});
}

void rms_norm_grad(const GradCall& call) {
  const Tensor& x = call.inputs[0];
  Context& context = call.context;
  const int64_t rows = row_count(x.shape()), c = x.shape().back();
  const int64_t bytes = context.kernel(&KernelTable::rms_norm_workspace_bytes)(rows, c);
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  context.launch(&KernelTable::rms_norm_backward,
                 RmsNormBackwardArgs{.rows = rows,
                                     .c = c,
                                     .dtype = x.dtype(),
                                     .x = x.raw(),
                                     .gamma = call.inputs[1].data<float>(),
                                     .rstd = call.outputs[1].data<float>(),
                                     .dy = call.dy.raw(),
                                     .dx = call.grad(0).raw(),
                                     .dgamma = call.grad(1).data<float>(),
                                     .workspace = workspace.raw()});
}

void attention_grad(const GradCall& call) {
  const auto& attrs = std::get<AttentionAttrs>(call.attrs);
  const auto inputs = call.inputs;
  EBB_CHECK(!attrs.bias || !call.wanted[inputs.size() - 1], Error,
            "attention: has no gradient for its bias");
  EBB_CHECK(!attrs.bias || inputs.back().shape().rank() == 3 || inputs.back().shape()[0] == 1,
            Error, "attention: has no gradient where each image has a bias of its own");
  const AttentionSize size = ops::attention_op_size(attrs, inputs);
  const auto extra = [&](size_t i) { return attrs.extra ? inputs[i].raw() : nullptr; };
  const auto extra_grad = [&](size_t i) { return attrs.extra ? call.grad(i).raw() : nullptr; };
  for (size_t i = 1; i < (attrs.extra ? 5 : 3); i += 2) {
    check_same_batch("attention", inputs[0], inputs[i]);
  }
  const Tensor workspace =
      Tensor::empty(call.context, {attention_workspace_bytes(size)}, DType::kU8);
  call.context.launch(
      &KernelTable::attention_backward,
      AttentionBackwardArgs{.size = size,
                            .dtype = inputs[0].dtype(),
                            .scale = ops::attention_op_scale(attrs, inputs[0].shape()),
                            .q = inputs[0].raw(),
                            .k = inputs[1].raw(),
                            .v = inputs[2].raw(),
                            .extra_k = extra(3),
                            .extra_v = extra(4),
                            .bias = attrs.bias ? inputs.back().data<float>() : nullptr,
                            .o = call.outputs[0].raw(),
                            .lse = call.outputs[1].data<float>(),
                            .d_o = call.dy.raw(),
                            .dq = call.grad(0).raw(),
                            .dk = call.grad(1).raw(),
                            .dv = call.grad(2).raw(),
                            .dextra_k = extra_grad(3),
                            .dextra_v = extra_grad(4),
                            .workspace = workspace.raw()});
}

void convert_grad(const GradCall& call) {
  const Tensor& dx = call.grad(0);
  call.context.launch(&KernelTable::convert, ConvertArgs{.count = dx.elements(),
                                                         .from = call.dy.dtype(),
                                                         .to = dx.dtype(),
                                                         .x = call.dy.raw(),
                                                         .y = dx.raw()});
}

void embedding_grad(const GradCall& call) {
  const Tensor& table = call.inputs[0];
  call.context.launch(&KernelTable::embedding_backward,
                      EmbeddingBackwardArgs{.count = call.inputs[1].elements(),
                                            .entries = table.shape()[0],
                                            .c = table.shape()[1],
                                            .dtype = call.dy.dtype(),
                                            .ids = call.inputs[1].data<int32_t>(),
                                            .dy = call.dy.raw(),
                                            .dtable = call.grad(0).data<float>()});
}

void softmax_grad(const GradCall& call) {
  const Tensor& y = call.outputs[0];
  call.context.launch(&KernelTable::softmax_backward,
                      SoftmaxBackwardArgs{.rows = row_count(y.shape()),
                                          .c = y.shape().back(),
                                          .dtype = y.dtype(),
                                          .y = y.raw(),
                                          .dy = call.dy.raw(),
                                          .dx = call.grad(0).raw()});
}

void upsample_grad(const GradCall& call) {
  call.context.launch(
      &KernelTable::upsample_backward,
      UpsampleBackwardArgs{.interpolation = std::get<UpsampleAttrs>(call.attrs).interpolation,
                           .size = ops::upsample_size(call.inputs[0].shape(), call.dy.shape()),
                           .dtype = call.dy.dtype(),
                           .dy = call.dy.raw(),
                           .dx = call.grad(0).raw()});
}

void mse_loss_grad(const GradCall& call) {
  const Tensor& prediction = call.inputs[0];
  call.context.launch(&KernelTable::mse_loss_backward,
                      MseLossBackwardArgs{.count = prediction.elements(),
                                          .dtype = prediction.dtype(),
                                          .prediction = prediction.raw(),
                                          .target = call.inputs[1].raw(),
                                          .dloss = call.dy.data<float>(),
                                          .dprediction = call.grad(0).raw()});
}

void learned_range_loss_grad(const GradCall& call) {
  const Tensor& noise = call.inputs[1];
  call.context.launch(&KernelTable::learned_range_loss_backward,
                      LearnedRangeLossBackwardArgs{
                          .n = noise.shape()[0],
                          .pixels = pixel_count(noise.shape()),
                          .c = noise.shape().back(),
                          .vlb_weight = std::get<LearnedRangeAttrs>(call.attrs).vlb_weight,
                          .prediction = call.inputs[0].data<float>(),
                          .noise = noise.data<float>(),
                          .images = call.inputs[2].data<float>(),
                          .steps = static_cast<const LearnedRangeStep*>(call.inputs[3].raw()),
                          .dloss = call.dy.data<float>(),
                          .dprediction = call.grad(0).data<float>()});
}

void softmax_cross_entropy_grad(const GradCall& call) {
  const Tensor& logits = call.inputs[0];
  call.context.launch(&KernelTable::softmax_cross_entropy_backward,
                      SoftmaxCrossEntropyBackwardArgs{.rows = logits.shape()[0],
                                                      .classes = logits.shape()[1],
                                                      .dtype = logits.dtype(),
                                                      .logits = logits.raw(),
                                                      .target = call.inputs[1].raw(),
                                                      .dloss = call.dy.data<float>(),
                                                      .dlogits = call.grad(0).raw()});
}

}  // namespace

const Tensor& GradCall::grad(size_t i) const {
  if (!grads[i].defined()) {
    grads[i] = Tensor::empty(context, inputs[i].shape(), inputs[i].dtype());
  }
  return grads[i];
}

const GradDef& grad_def(const OpDef& op) {
  static const GradDef kGradDefs[] = {
      {&ops::kConv, conv_grad, 3},                              // x, w[, b]
      {&ops::kBatchNormTrain, batch_norm_train_grad, 3, true},  // x, gamma, beta
      {&ops::kActivation, activation_grad, 1},
      {&ops::kAffine, affine_grad, 1},
      {&ops::kAvgPool, avg_pool_grad, 1},
      {&ops::kConcat, concat_grad, SIZE_MAX},
      {&ops::kSliceChannels, slice_channels_grad, 1},
      {&ops::kAdd, add_grad, 2},
      {&ops::kMultiply, multiply_grad, 2},
      {&ops::kGroupNorm, group_norm_grad, 5, true},  // x, weight, bias, scale, shift
      {&ops::kLayerNorm, layer_norm_grad, 3, true},  // x, weight, bias
      {&ops::kRmsNorm, rms_norm_grad, 2, true},      // x, weight
      {&ops::kAttention, attention_grad, 5, true},   // q, k, v, extra_k, extra_v
      {&ops::kConvert, convert_grad, 1},
      {&ops::kEmbedding, embedding_grad, 1},  // table
      {&ops::kSoftmax, softmax_grad, 1, true},
      {&ops::kUpsample, upsample_grad, 1},
      {&ops::kMseLoss, mse_loss_grad, 1},                           // prediction
      {&ops::kLearnedRangeLoss, learned_range_loss_grad, 1},        // prediction
      {&ops::kSoftmaxCrossEntropy, softmax_cross_entropy_grad, 1},  // logits
  };
  for (const GradDef& def : kGradDefs) {
    if (def.op == &op) return def;
  }
  throw Error(cat(op.name, ": has no gradient"));
}

}  // namespace ebb::autograd
