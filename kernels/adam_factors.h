#pragma once

#include <cmath>

#include "kernels/optimizer.h"

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

  explicit AdamFactors(const AdamArgs& args)
      : grad_scale(args.grad_scale),
        take_m(static_cast<float>(1 - args.beta1)),
        keep_v(static_cast<float>(args.beta2)),
        take_v(static_cast<float>(1 - args.beta2)),
        root(static_cast<float>(
            std::sqrt(1 - std::pow(args.beta2, static_cast<double>(args.step))))),
        eps(static_cast<float>(args.eps)),
        minus_step(static_cast<float>(
            -args.lr / (1 - std::pow(args.beta1, static_cast<double>(args.step))))) {}
};

}  // namespace ebb
