#pragma once

#include "kernels/attention/attention.h"
#include "kernels/attention/softmax.h"
#include "kernels/conv/conv.h"
#include "kernels/embedding/embedding.h"
#include "kernels/loss/mse_loss.h"
#include "kernels/loss/softmax_cross_entropy.h"
#include "kernels/norm/batch_norm.h"
#include "kernels/norm/fold_batch_norm.h"
#include "kernels/norm/group_norm.h"
#include "kernels/norm/layer_norm.h"
#include "kernels/norm/rms_norm.h"
#include "kernels/optimizer/adam.h"
#include "kernels/pointwise/activation.h"
#include "kernels/pointwise/broadcast.h"
#include "kernels/pointwise/convert.h"
#include "kernels/pointwise/copy_rows.h"
#include "kernels/pointwise/linear_combination.h"
#include "kernels/random/random.h"
#include "kernels/sampling/blend.h"
#include "kernels/sampling/diffusion_batch.h"
#include "kernels/sampling/digit_batch.h"
#include "kernels/sampling/learned_noise.h"
#include "kernels/sampling/line_filter.h"
#include "kernels/sampling/signed_gather.h"
#include "kernels/spatial/avg_pool.h"
#include "kernels/spatial/upsample.h"

namespace ebb {

// A backend is a table of functions. A null entry is an operation the backend does not have; the
// caller turns it into one uniform error (engine/context.h, require_kernel).
struct KernelTable {
  const char* name = "";

  ActivationForwardFn* activation_forward = nullptr;
  ActivationBackwardFn* activation_backward = nullptr;
  AttentionForwardFn* attention_forward = nullptr;
  AttentionBackwardFn* attention_backward = nullptr;
  AvgPoolForwardFn* avg_pool_forward = nullptr;
  AvgPoolBackwardFn* avg_pool_backward = nullptr;
  BatchNormTrainFn* batch_norm_train = nullptr;
  BatchNormInferFn* batch_norm_infer = nullptr;
  BatchNormBackwardFn* batch_norm_backward = nullptr;
  BatchNormWorkspaceBytesFn* batch_norm_workspace_bytes = nullptr;
  BlendFn* blend = nullptr;
  BroadcastForwardFn* broadcast_forward = nullptr;
  BroadcastBackwardFn* broadcast_backward = nullptr;
  ChooseConvUnitsFn* choose_conv_units = nullptr;
  ConvKernelNameFn* conv_kernel_name = nullptr;
  ConvPackedBytesFn* conv_packed_bytes = nullptr;
  ConvPackFn* conv_pack = nullptr;
  ConvWorkspaceBytesFn* conv_workspace_bytes = nullptr;
  ConvForwardFn* conv_forward = nullptr;
  ConvMomentChunksFn* conv_moment_chunks = nullptr;
  ConvBackwardInputFn* conv_backward_input = nullptr;
  ConvBackwardWeightFn* conv_backward_weight = nullptr;
  ConvertFn* convert = nullptr;
  CopyRowsFn* copy_rows = nullptr;
  DiffusionBatchFn* diffusion_batch = nullptr;
  DigitBatchFn* digit_batch = nullptr;
  FoldBatchNormFn* fold_batch_norm = nullptr;
  LearnedNoiseFn* learned_noise = nullptr;
  LineFilterFn* line_filter = nullptr;
  GroupNormForwardFn* group_norm_forward = nullptr;
  GroupNormBackwardFn* group_norm_backward = nullptr;
  GroupNormWorkspaceBytesFn* group_norm_workspace_bytes = nullptr;
  LayerNormForwardFn* layer_norm_forward = nullptr;
  LayerNormBackwardFn* layer_norm_backward = nullptr;
  LayerNormWorkspaceBytesFn* layer_norm_workspace_bytes = nullptr;
  LinearCombinationFn* linear_combination = nullptr;
  MseLossForwardFn* mse_loss_forward = nullptr;
  MseLossWorkspaceBytesFn* mse_loss_workspace_bytes = nullptr;
  MseLossBackwardFn* mse_loss_backward = nullptr;
  UpdateGuardFn* update_guard = nullptr;
  AdamFn* adam = nullptr;
  EmaFn* ema = nullptr;
  SumSquaresFn* sum_squares = nullptr;
  SumSquaresWorkspaceBytesFn* sum_squares_workspace_bytes = nullptr;
  RandomNormalFn* random_normal = nullptr;
  RandomUniformFn* random_uniform = nullptr;
  SignedGatherFn* signed_gather = nullptr;
  SoftmaxCrossEntropyForwardFn* softmax_cross_entropy_forward = nullptr;
  SoftmaxCrossEntropyWorkspaceBytesFn* softmax_cross_entropy_workspace_bytes = nullptr;
  SoftmaxCrossEntropyBackwardFn* softmax_cross_entropy_backward = nullptr;
  EmbeddingFn* embedding = nullptr;
  EmbeddingBackwardFn* embedding_backward = nullptr;
  TimestepEmbeddingFn* timestep_embedding = nullptr;
  RmsNormForwardFn* rms_norm_forward = nullptr;
  RmsNormBackwardFn* rms_norm_backward = nullptr;
  RmsNormWorkspaceBytesFn* rms_norm_workspace_bytes = nullptr;
  SoftmaxForwardFn* softmax_forward = nullptr;
  SoftmaxBackwardFn* softmax_backward = nullptr;
  UpsampleForwardFn* upsample_forward = nullptr;
  UpsampleBackwardFn* upsample_backward = nullptr;
};

const KernelTable& cpu_kernels();
const KernelTable& cuda_kernels();  // in builds with CUDA
const KernelTable& emu_kernels();   // the same on the emulator, in builds with tests

}  // namespace ebb
