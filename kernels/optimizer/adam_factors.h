#pragma once

#include <cmath>

#include "kernels/optimizer/adam.h"
#include "kernels/simt/host_device.h"

namespace ebb {

// Scalars of one Adam step: computed in double, used in f32, as torch.optim.Adam does.
struct AdamFactors {
  float grad_scale;
  float take_m;  // 1 - beta1
  float keep_v;  // beta2
  float take_v;  // 1 - beta2
  float root;    // sqrt(1 - beta2^t)
  float eps;
  float minus_step;  // -lr / (1 - beta1^t)
  float keep;        // 1 - lr * weight decay

  EBB_HOST_DEVICE explicit AdamFactors(const AdamArgs& args)
      : grad_scale(args.guard == nullptr ? 1.0f : args.guard->grad_scale),
        take_m(static_cast<float>(1 - args.beta1)),
        keep_v(static_cast<float>(args.beta2)),
        take_v(static_cast<float>(1 - args.beta2)),
        root(args.rates->root),
        eps(static_cast<float>(args.eps)),
        minus_step(args.rates->minus_step),
        keep(args.rates->keep) {}
};

// For step t = 1, 2, ...
inline AdamRates adam_rates(double lr, double beta1, double beta2, int64_t t,
                            double weight_decay = 0) {
  const auto steps = static_cast<double>(t);
  return {static_cast<float>(std::sqrt(1 - std::pow(beta2, steps))),
          static_cast<float>(-lr / (1 - std::pow(beta1, steps))),
          static_cast<float>(1 - lr * weight_decay)};
}

EBB_HOST_DEVICE constexpr bool updates(const UpdateGuard* guard) {
  return guard == nullptr || guard->update != 0;
}

// x - x is NaN for infinities and NaN.
EBB_HOST_DEVICE constexpr bool is_finite(double x) { return x - x == 0; }

// norm: square root of the gradients' sum of squares.
EBB_HOST_DEVICE inline UpdateGuard make_update_guard(const UpdateGuardArgs& args, double norm) {
  const double loss = *args.loss;
  const bool clip = args.clip_norm > 0 && norm > args.clip_norm;
  const bool is_whole = args.lost == nullptr || *args.lost == 0;
  return {loss, norm, clip ? static_cast<float>(args.clip_norm / norm) : 1.0f,
          is_whole && is_finite(loss) && is_finite(norm) ? 1 : 0};
}

}  // namespace ebb
