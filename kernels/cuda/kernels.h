#pragma once

// The functions of kernels/*_cuda.cu, for the backend's table.

#include "kernels/kernel_table.h"
#include "kernels/simt.h"

namespace ebb::EBB_GPU_NAMESPACE {

ActivationForwardFn activation_forward;
ActivationBackwardFn activation_backward;
AttentionForwardFn attention_forward;
AttentionBackwardFn attention_backward;
AvgPoolForwardFn avg_pool_forward;
AvgPoolBackwardFn avg_pool_backward;
BatchNormTrainFn batch_norm_train;
BatchNormInferFn batch_norm_infer;
BatchNormBackwardFn batch_norm_backward;
BatchNormWorkspaceBytesFn batch_norm_workspace_bytes;
BroadcastForwardFn broadcast_forward;
BroadcastBackwardFn broadcast_backward;
ConvPackedBytesFn conv_packed_bytes;
ConvPackFn conv_pack;
ConvWorkspaceBytesFn conv_workspace_bytes;
ConvForwardFn conv_forward;
ConvBackwardInputFn conv_backward_input;
ConvBackwardWeightFn conv_backward_weight;
CopyRowsFn copy_rows;
DiffusionBatchFn diffusion_batch;
FoldBatchNormFn fold_batch_norm;
GroupNormForwardFn group_norm_forward;
GroupNormBackwardFn group_norm_backward;
GroupNormWorkspaceBytesFn group_norm_workspace_bytes;
LinearCombinationFn linear_combination;
MseLossForwardFn mse_loss_forward;
MseLossWorkspaceBytesFn mse_loss_workspace_bytes;
MseLossBackwardFn mse_loss_backward;
AdamFn adam;
EmaFn ema;
SumSquaresFn sum_squares;
SumSquaresWorkspaceBytesFn sum_squares_workspace_bytes;
RandomNormalFn random_normal;
RandomUniformFn random_uniform;
EmbeddingFn embedding;
TimestepEmbeddingFn timestep_embedding;
RmsNormForwardFn rms_norm_forward;
SoftmaxForwardFn softmax_forward;
SoftmaxBackwardFn softmax_backward;
UpsampleForwardFn upsample_forward;
UpsampleBackwardFn upsample_backward;

}  // namespace ebb::EBB_GPU_NAMESPACE
