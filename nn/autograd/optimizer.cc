#include "nn/autograd/optimizer.h"

#include <cmath>

#include "kernels/kernel_table.h"

namespace ebb::autograd {

double grad_norm(Context& context, const ParamStore& params) {
  const Tensor& grads = params.grads();
  const int64_t bytes = context.kernel(&KernelTable::sum_squares_workspace_bytes,
                                       "sum_squares_workspace_bytes")(grads.elements());
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  const Tensor result = Tensor::empty(context, {sizeof(double)}, DType::kU8);
  context.launch(&KernelTable::sum_squares, "sum_squares",
                 SumSquaresArgs{.count = grads.elements(),
                                .x = grads.data<float>(),
                                .result = static_cast<double*>(result.raw()),
                                .workspace = workspace.raw()});
  double sum = 0;
  context.queue()->copy_out(&sum, result.raw(), 1, sizeof sum, sizeof sum);
  return std::sqrt(sum);
}

void adam_step(Context& context, const ParamStore& params, const AdamConfig& config, double lr,
               int64_t step, double grad_scale) {
  context.launch(&KernelTable::adam, "adam",
                 AdamArgs{.count = params.values().elements(),
                          .lr = lr,
                          .beta1 = config.beta1,
                          .beta2 = config.beta2,
                          .eps = config.eps,
                          .grad_scale = static_cast<float>(grad_scale),
                          .step = step,
                          .grad = params.grads().data<float>(),
                          .param = params.values().data<float>(),
                          .m = params.first_moments().data<float>(),
                          .v = params.second_moments().data<float>()});
}

void ema_step(Context& context, const ParamStore& params, double decay) {
  const auto update = [&](const Tensor& current, const Tensor& ema) {
    context.launch(&KernelTable::ema, "ema",
                   EmaArgs{.count = current.elements(),
                           .decay = decay,
                           .param = current.data<float>(),
                           .ema = ema.data<float>()});
  };
  update(params.values(), params.ema());
  update(params.buffers(), params.ema_buffers());
}

}  // namespace ebb::autograd
