#pragma once

#include "nn/autograd/param_store.h"

namespace ebb::autograd {

struct AdamConfig {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
};

// Euclidean norm of all gradients; not finite when any gradient is not.
double grad_norm(Context& context, const ParamStore& params);

// One Adam update of all parameters; step counts from 1. grad_scale multiplies the gradients first.
void adam_step(Context& context, const ParamStore& params, const AdamConfig& config, double lr,
               int64_t step, double grad_scale);

// ema = decay * ema + (1 - decay) * current, for weights and running statistics.
void ema_step(Context& context, const ParamStore& params, double decay);

}  // namespace ebb::autograd
