#include "nn/autograd/grad_rules.h"

#include <cstdint>

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
  const ConvGeometry g = ops::conv_op_geometry(attrs, x.shape(), w.shape()[0]);
  const auto workspace = [&](ConvPass pass) {
    const int64_t bytes = context.kernel(&KernelTable::conv_workspace_bytes)(
        g, pass, x.dtype(), context.conv_math(), context.kernel_stream().threads);
    return Tensor::empty(context, {bytes}, DType::kU8);
  };
  if (call.wanted[1] || call.wanted[2]) {
    const Tensor scratch = workspace(ConvPass::kBackwardWeight);
    context.launch(&KernelTable::conv_backward_weight,
                   ConvBackwardWeightArgs{.geometry = g,
                                          .dtype = x.dtype(),
                                          .x = x.raw(),
                                          .dy = call.dy.raw(),
                                          .dw = call.grad(1).data<float>(),
                                          .db = call.grad(2).data<float>(),
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

void avg_pool_grad(const GradCall& call) {
  const Shape& s = call.inputs[0].shape();
  call.context.launch(&KernelTable::avg_pool_backward,
                      AvgPoolBackwardArgs{.n = s[0],
                                          .h = s[1],
                                          .w = s[2],
                                          .c = s[3],
                                          .k = std::get<PoolAttrs>(call.attrs).kernel,
                                          .dtype = call.dy.dtype(),
                                          .dy = call.dy.raw(),
                                          .dx = call.grad(0).raw()});
}

// Operands read modulo their batch have no gradient rule: training runs one branch.
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

void broadcast_grad(const GradCall& call, BroadcastOp op) {
  const Tensor &x = call.inputs[0], &s = call.inputs[1];
  check_same_batch(op == BroadcastOp::kAdd ? "add" : "multiply", x, s);
  call.context.launch(&KernelTable::broadcast_backward,
                      BroadcastBackwardArgs{.op = op,
                                            .n = x.shape()[0],
                                            .pixels = pixel_count(x.shape()),
                                            .c = x.shape().back(),
                                            .dtype = x.dtype(),
                                            .x = x.raw(),
                                            .s = s.raw(),
                                            .dy = call.dy.raw(),
                                            .dx = call.wanted[0] ? call.grad(0).raw() : nullptr,
                                            .ds = call.wanted[1] ? call.grad(1).raw() : nullptr});
}

void add_grad(const GradCall& call) { broadcast_grad(call, BroadcastOp::kAdd); }

void multiply_grad(const GradCall& call) { broadcast_grad(call, BroadcastOp::kMultiply); }

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
      {&ops::kConv, conv_grad, 3},                              // x, w, b
      {&ops::kBatchNormTrain, batch_norm_train_grad, 3, true},  // x, gamma, beta
      {&ops::kActivation, activation_grad, 1},
      {&ops::kAvgPool, avg_pool_grad, 1},
      {&ops::kConcat, concat_grad, SIZE_MAX},
      {&ops::kAdd, add_grad, 2},
      {&ops::kMultiply, multiply_grad, 2},
      {&ops::kConvert, convert_grad, 1},
      {&ops::kEmbedding, embedding_grad, 1},                        // table
      {&ops::kMseLoss, mse_loss_grad, 1},                           // prediction
      {&ops::kSoftmaxCrossEntropy, softmax_cross_entropy_grad, 1},  // logits
  };
  for (const GradDef& def : kGradDefs) {
    if (def.op == &op) return def;
  }
  throw Error(cat(op.name, ": has no gradient"));
}

}  // namespace ebb::autograd
