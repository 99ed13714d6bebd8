#pragma once

#include "kernels/optimizer/adam.h"
#include "nn/autograd/param_store.h"

namespace ebb::autograd {

struct AdamConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;  // decoupled from the gradient: AdamW
};

// Sum of squares of all gradients, a double on the device; not finite when any gradient is not.
Tensor grad_sum_squares(Context& context, const ParamStore& params);

// The numbers of a training step that change from step to step, on the device: the host sets the
// rates before it, the step itself decides the rest, and the host reads it after.
class StepState {
 public:
  explicit StepState(Context& context);

  // For Adam's update `step`, counted from 1.
  void set_rates(const AdamConfig& config, double lr, int64_t step);
  // Whether to update, by loss [1] and gradients; scales gradients beyond clip_norm (0: never).
  // lost: [1] on the device, not 0 when a sum of parts misses numbers; null: there are no parts.
  void decide(Context& context, const Tensor& loss, const Tensor& sum_squares, double clip_norm,
              const uint64_t* lost = nullptr);
  UpdateGuard read() const;

  const AdamRates* rates() const { return static_cast<const AdamRates*>(rates_.raw()); }
  const UpdateGuard* guard() const { return static_cast<const UpdateGuard*>(guard_.raw()); }

 private:
  std::shared_ptr<Stream> stream_;
  Tensor rates_, guard_;  // one AdamRates, one UpdateGuard
};

// One Adam update of all parameters, unless the state says no.
void adam_step(Context& context, const ParamStore& params, const AdamConfig& config,
               const StepState& state);

// ema = decay * ema + (1 - decay) * current, for weights and running statistics, unless the state
// says no.
void ema_step(Context& context, const ParamStore& params, double decay, const StepState& state);

}  // namespace ebb::autograd
