#include "kernels/norm/fold_batch_norm.h"

#include <cmath>

#include "base/kernel_stream.h"

namespace ebb::cpu {

void fold_batch_norm(const FoldBatchNormArgs& a, KernelStream) {
  for (int64_t o = 0; o < a.o; ++o) {
    const double scale = a.gamma[o] / std::sqrt(static_cast<double>(a.var[o]) + a.eps);
    for (int64_t k = 0; k < a.k; ++k) {
      a.folded_w[o * a.k + k] = static_cast<float>(scale * a.w[o * a.k + k]);
    }
    a.folded_b[o] =
        static_cast<float>(scale * (static_cast<double>(a.b[o]) - a.mean[o]) + a.beta[o]);
  }
}

}  // namespace ebb::cpu
