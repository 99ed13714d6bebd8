#include "kernels/kernel_table.h"

namespace ebb {

const KernelTable& cpu_kernels() {
  static const KernelTable table = {
      .name = "cpu",
      .activation_forward = cpu::activation_forward,
      .activation_backward = cpu::activation_backward,
      .attention_forward = cpu::attention_forward,
      .attention_backward = cpu::attention_backward,
      .avg_pool_forward = cpu::avg_pool_forward,
      .avg_pool_backward = cpu::avg_pool_backward,
      .batch_norm_train = cpu::batch_norm_train,
      .batch_norm_infer = cpu::batch_norm_infer,
      .batch_norm_backward = cpu::batch_norm_backward,
      .batch_norm_workspace_bytes = cpu::batch_norm_workspace_bytes,
      .blend = cpu::blend,
      .broadcast_forward = cpu::broadcast_forward,
      .broadcast_backward = cpu::broadcast_backward,
      .conv_packed_bytes = cpu::conv_packed_bytes,
      .conv_pack = cpu::conv_pack,
      .conv_workspace_bytes = cpu::conv_workspace_bytes,
      .conv_forward = cpu::conv_forward,
      .conv_backward_input = cpu::conv_backward_input,
      .conv_backward_weight = cpu::conv_backward_weight,
      .copy_rows = cpu::copy_rows,
      .diffusion_batch = cpu::diffusion_batch,
      .digit_batch = cpu::digit_batch,
      .fold_batch_norm = cpu::fold_batch_norm,
      .learned_noise = cpu::learned_noise,
      .line_filter = cpu::line_filter,
      .group_norm_forward = cpu::group_norm_forward,
      .group_norm_backward = cpu::group_norm_backward,
      .group_norm_workspace_bytes = cpu::group_norm_workspace_bytes,
      .linear_combination = cpu::linear_combination,
      .mse_loss_forward = cpu::mse_loss_forward,
      .mse_loss_workspace_bytes = cpu::mse_loss_workspace_bytes,
      .mse_loss_backward = cpu::mse_loss_backward,
      .adam = cpu::adam,
      .ema = cpu::ema,
      .sum_squares = cpu::sum_squares,
      .sum_squares_workspace_bytes = cpu::sum_squares_workspace_bytes,
      .random_normal = cpu::random_normal,
      .random_uniform = cpu::random_uniform,
      .signed_gather = cpu::signed_gather,
      .softmax_cross_entropy_forward = cpu::softmax_cross_entropy_forward,
      .softmax_cross_entropy_workspace_bytes = cpu::softmax_cross_entropy_workspace_bytes,
      .softmax_cross_entropy_backward = cpu::softmax_cross_entropy_backward,
  };
  return table;
}

}  // namespace ebb
