#include "kernels/cuda/kernels.h"

namespace ebb {
namespace EBB_GPU_NAMESPACE {
namespace {

#if defined(__CUDACC__)
constexpr const char* kName = "cuda";
#else
constexpr const char* kName = "emu";
#endif

constexpr KernelTable kTable = {
    .name = kName,
    .activation_forward = activation_forward,
    .activation_backward = activation_backward,
    .attention_forward = attention_forward,
    .attention_backward = attention_backward,
    .avg_pool_forward = avg_pool_forward,
    .avg_pool_backward = avg_pool_backward,
    .batch_norm_train = batch_norm_train,
    .batch_norm_infer = batch_norm_infer,
    .batch_norm_backward = batch_norm_backward,
    .batch_norm_workspace_bytes = batch_norm_workspace_bytes,
    .blend = blend,
    .broadcast_forward = broadcast_forward,
    .broadcast_backward = broadcast_backward,
    .choose_conv_units = choose_conv_units,
    .conv_kernel_name = conv_kernel_name,
    .conv_packed_bytes = conv_packed_bytes,
    .conv_pack = conv_pack,
    .conv_workspace_bytes = conv_workspace_bytes,
    .conv_forward = conv_forward,
    .conv_moment_chunks = conv_moment_chunks,
    .conv_backward_input = conv_backward_input,
    .conv_backward_weight = conv_backward_weight,
    .convert = convert,
    .copy_rows = copy_rows,
    .diffusion_batch = diffusion_batch,
    .digit_batch = digit_batch,
    .fold_batch_norm = fold_batch_norm,
    .learned_noise = learned_noise,
    .line_filter = line_filter,
    .group_norm_forward = group_norm_forward,
    .group_norm_backward = group_norm_backward,
    .group_norm_workspace_bytes = group_norm_workspace_bytes,
    .layer_norm_forward = layer_norm_forward,
    .layer_norm_backward = layer_norm_backward,
    .layer_norm_workspace_bytes = layer_norm_workspace_bytes,
    .linear_combination = linear_combination,
    .mse_loss_forward = mse_loss_forward,
    .mse_loss_workspace_bytes = mse_loss_workspace_bytes,
    .mse_loss_backward = mse_loss_backward,
    .update_guard = update_guard,
    .adam = adam,
    .ema = ema,
    .sum_squares = sum_squares,
    .sum_squares_workspace_bytes = sum_squares_workspace_bytes,
    .random_normal = random_normal,
    .random_uniform = random_uniform,
    .signed_gather = signed_gather,
    .softmax_cross_entropy_forward = softmax_cross_entropy_forward,
    .softmax_cross_entropy_workspace_bytes = softmax_cross_entropy_workspace_bytes,
    .softmax_cross_entropy_backward = softmax_cross_entropy_backward,
    .embedding = embedding,
    .embedding_backward = embedding_backward,
    .timestep_embedding = timestep_embedding,
    .rms_norm_forward = rms_norm_forward,
    .rms_norm_backward = rms_norm_backward,
    .rms_norm_workspace_bytes = rms_norm_workspace_bytes,
    .softmax_forward = softmax_forward,
    .softmax_backward = softmax_backward,
    .upsample_forward = upsample_forward,
    .upsample_backward = upsample_backward,
};

}  // namespace
}  // namespace EBB_GPU_NAMESPACE

#if defined(__CUDACC__)
const KernelTable& cuda_kernels() { return cuda::kTable; }
#else
const KernelTable& emu_kernels() { return emu::kTable; }
#endif

}  // namespace ebb
