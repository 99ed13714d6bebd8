#include "kernels/adam_factors.h"
#include "kernels/cuda/map.h"
#include "kernels/cuda/sum.h"
#include "kernels/optimizer.h"

namespace ebb::EBB_GPU_NAMESPACE {
namespace {

// One element, in the order of operations of torch.optim.Adam.
SIMT_DEVICE void adam_update(const AdamFactors& f, float grad, float& param, float& m, float& v) {
  const float g = grad * f.grad_scale;
  m = fmaf(f.take_m, g - m, m);
  v = fmaf(f.take_v * g, g, v * f.keep_v);
  param += f.minus_step * m / (sqrtf(v) / f.root + f.eps);
}

template <int kWidth>
SIMT_DEVICE void adam_step(const AdamFactors& f, int64_t i, const float* grad, float* param,
                           float* m, float* v) {
  const Pack<float, kWidth> g = load_pack<kWidth>(grad + i);
  Pack<float, kWidth> p = load_pack<kWidth>(param + i);
  Pack<float, kWidth> pm = load_pack<kWidth>(m + i), pv = load_pack<kWidth>(v + i);
  for (int k = 0; k < kWidth; ++k) adam_update(f, g.v[k], p.v[k], pm.v[k], pv.v[k]);
  store_pack<kWidth>(param + i, p);
  store_pack<kWidth>(m + i, pm);
  store_pack<kWidth>(v + i, pv);
}

template <int kWidth>
__global__ void __launch_bounds__(kThreads)
    adam_kernel(int64_t count, AdamFactors factors, const float* grad, float* param, float* m,
                float* v) {
  const int64_t packs = count / kWidth;
  for (int64_t i = global_thread(); i < packs; i += global_threads()) {
    adam_step<kWidth>(factors, i * kWidth, grad, param, m, v);
  }
  for (int64_t i = packs * kWidth + global_thread(); i < count; i += global_threads()) {
    adam_step<1>(factors, i, grad, param, m, v);
  }
}

struct Average {
  static constexpr int kInputs = 2;
  float keep, take;
  SIMT_DEVICE float operator()(float ema, float param) const { return keep * ema + take * param; }
};

struct Square {
  const float* x;
  SIMT_DEVICE double operator()(int64_t i) const {
    const double v = x[i];
    return v * v;
  }
};

}  // namespace

void adam(const AdamArgs& args, StreamHandle stream) {
  const bool wide = packs_fit(args.grad, args.param, args.m, args.v);
  simt::launch({.name = "adam",
                .grid = dim3(blocks_for(wide ? ceil_div(args.count, 4) : args.count)),
                .block = dim3(kThreads),
                .stream = stream},
               wide ? adam_kernel<4> : adam_kernel<1>, args.count, AdamFactors(args), args.grad,
               args.param, args.m, args.v);
}

void ema(const EmaArgs& args, StreamHandle stream) {
  const Average average{static_cast<float>(args.decay), static_cast<float>(1 - args.decay)};
  map<float>("ema", stream, args.count, average, args.ema, args.param, args.ema);
}

int64_t sum_squares_workspace_bytes(int64_t count) { return sum_workspace_bytes(count); }

void sum_squares(const SumSquaresArgs& args, StreamHandle stream) {
  sum_terms("sum_squares", stream, args.count, Square{args.x}, 1.0, args.workspace, args.result);
}

}  // namespace ebb::EBB_GPU_NAMESPACE
