#include "nn/autograd/optimizer.h"

#include "kernels/kernel_table.h"
#include "kernels/optimizer/adam_factors.h"

namespace ebb::autograd {

Tensor grad_sum_squares(Context& context, const ParamStore& params) {
  const Tensor& grads = params.grads();
  const int64_t bytes = context.kernel(&KernelTable::sum_squares_workspace_bytes)(grads.elements());
  const Tensor workspace = Tensor::empty(context, {bytes}, DType::kU8);
  const Tensor result = Tensor::empty(context, {sizeof(double)}, DType::kU8);
  context.launch(&KernelTable::sum_squares,
                 SumSquaresArgs{.count = grads.elements(),
                                .x = grads.data<float>(),
                                .result = static_cast<double*>(result.raw()),
                                .workspace = workspace.raw()});
  return result;
}

StepState::StepState(Context& context)
    : stream_(context.stream()),
      rates_(Tensor::empty(context, {sizeof(AdamRates)}, DType::kU8)),
      guard_(Tensor::empty(context, {sizeof(UpdateGuard)}, DType::kU8)) {}

void StepState::set_rates(const AdamConfig& config, double lr, int64_t step) {
  const AdamRates rates = adam_rates(lr, config.beta1, config.beta2, step, config.weight_decay);
  stream_->copy_to_device(rates_.raw(), &rates, sizeof rates);
}

void StepState::decide(Context& context, const Tensor& loss, const Tensor& sum_squares,
                       double clip_norm, const uint64_t* lost) {
  context.launch(&KernelTable::update_guard,
                 UpdateGuardArgs{.clip_norm = clip_norm,
                                 .loss = loss.data<float>(),
                                 .sum_squares = static_cast<const double*>(sum_squares.raw()),
                                 .guard = static_cast<UpdateGuard*>(guard_.raw()),
                                 .lost = lost});
}

UpdateGuard StepState::read() const {
  UpdateGuard guard;
  stream_->copy_to_host(&guard, guard_.raw(), 1, sizeof guard, sizeof guard);
  return guard;
}

void adam_step(Context& context, const ParamStore& params, const AdamConfig& config,
               const StepState& state) {
  context.launch(&KernelTable::adam, AdamArgs{.count = params.values().elements(),
                                              .beta1 = config.beta1,
                                              .beta2 = config.beta2,
                                              .eps = config.eps,
                                              .rates = state.rates(),
                                              .guard = state.guard(),
                                              .grad = params.grads().data<float>(),
                                              .param = params.values().data<float>(),
                                              .m = params.first_moments().data<float>(),
                                              .v = params.second_moments().data<float>(),
                                              .shadow = nullptr});
}

void ema_step(Context& context, const ParamStore& params, double decay, const StepState& state) {
  const auto update = [&](const Tensor& current, const Tensor& ema) {
    context.launch(&KernelTable::ema, EmaArgs{.count = current.elements(),
                                              .decay = decay,
                                              .guard = state.guard(),
                                              .param = current.data<float>(),
                                              .ema = ema.data<float>()});
  };
  update(params.values(), params.ema());
  update(params.buffers(), params.ema_buffers());
}

}  // namespace ebb::autograd
