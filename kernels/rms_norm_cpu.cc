#include "kernels/rms_norm.h"

#include <cmath>

#include "kernels/cpu/f32.h"
#include "kernels/cpu/parallel.h"

namespace ebb::cpu {

void rms_norm_forward(const RmsNormForwardArgs& args, StreamHandle stream) {
  require_f32("rms_norm", args.dtype);
  parallel_for(stream.threads, args.rows, [&](int64_t row) {
    const float* x = as_f32(args.x) + row * args.c;
    float* y = as_f32(args.y) + row * args.c;
    double squares = 0;
    for (int64_t c = 0; c < args.c; ++c) squares += static_cast<double>(x[c]) * x[c];
    const double mean = squares / static_cast<double>(args.c);
    const float rstd = static_cast<float>(1 / std::sqrt(mean + args.eps));
    for (int64_t c = 0; c < args.c; ++c) y[c] = x[c] * rstd * args.gamma[c];
  });
}

}  // namespace ebb::cpu
